#include <fmt/format.h>

#include "drover/api/render.hpp"

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

// What is to be stored, or what is wrong with the first bad member. Whether they fit together with what is
// not named is the engine's to say, which knows that.
Result<std::map<std::string, std::string>> changed_settings(const Json& body) {
  const Json::Object* object = body.if_object();
  if (object == nullptr) return invalid("", "the settings must be an object");
  core::Tunables wanted;
  for (const Json::Member& member : *object) {
    if (Status set = core::set_tunable(wanted, member.key, member.value.dump()); !set.ok())
      return set.error();
  }
  std::map<std::string, std::string> values;
  for (const auto& [key, text] : core::tunable_values(wanted)) {
    if (body.find(key) != nullptr) values.emplace(key, text);
  }
  return values;
}

void answer_config(const ServicePtr& service, const CallPtr& call) {
  service->deps.engine.view(service->then<engine::EngineView>(call, [service,
                                                                     call](const engine::EngineView& view) {
    if (!view.leading) {
      return call->fail(Error{.code = Errc::unavailable,
                              .message = fmt::format("this daemon does not lead: {}", view.standby_reason),
                              .retry_after_s = 5});
    }
    keep_defaults(*service, view.tunables);
    call->send(200, tunables_json(view.tunables));
  }));
}

}  // namespace

void get_config(const ServicePtr& service, const CallPtr& call) {
  answer_config(service, call);
}

// PUT and PATCH both: what is named changes, all of it or nothing, and the answer is the whole.
void put_config(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Json> body = body_or_fail(call, true);
  if (!body) return;
  Result<std::map<std::string, std::string>> values = changed_settings(*body);
  if (!values.ok()) return call->fail(values.error());
  if (values->empty()) return answer_config(service, call);
  service->deps.engine.apply(ports::PutSettings{std::move(*values), service->deps.clock.wall()},
                             service->then<ports::Applied>(call, [service, call](const ports::Applied&) {
                               answer_config(service, call);
                             }));
}

}  // namespace drover::api
