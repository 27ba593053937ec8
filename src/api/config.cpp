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

// `next` with the tunables as they are.
void with_tunables(const ServicePtr& service, const CallPtr& call,
                   std::function<void(const core::Tunables&)> next) {
  service->deps.engine.view(service->then<engine::EngineView>(call, [service, call, next = std::move(next)](
                                                                        const engine::EngineView& view) {
    if (!view.leading) {
      return call->fail(Error{.code = Errc::unavailable,
                              .message = fmt::format("this daemon does not lead: {}", view.standby_reason),
                              .retry_after_s = 5});
    }
    keep_defaults(*service, view.tunables);
    next(view.tunables);
  }));
}

void answer_config(const ServicePtr& service, const CallPtr& call) {
  with_tunables(service, call,
                [call](const core::Tunables& tunables) { call->send(200, tunables_json(tunables)); });
}

void say_changes(const Call& call, const core::Tunables& before, const core::Tunables& after) {
  const auto old = core::tunable_values(before);
  const auto now = core::tunable_values(after);
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (old[i].second == now[i].second) continue;
    call.did("setting changed", {{"setting", now[i].first}, {"from", old[i].second}, {"to", now[i].second}});
  }
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
  with_tunables(service, call, [service, call, values = *values](const core::Tunables& before) {
    service->deps.engine.apply(
        ports::PutSettings{values, service->deps.clock.wall()},
        service->then<ports::PutSettings::Answer>(call, [service, call, before](const auto&) {
          with_tunables(service, call, [call, before](const core::Tunables& after) {
            say_changes(*call, before, after);
            call->send(200, tunables_json(after));
          });
        }));
  });
}

}  // namespace drover::api
