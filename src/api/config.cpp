#include <fmt/format.h>

#include "bodies.hpp"
#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

Result<std::map<std::string, std::string>> changed_settings(const Json& body);
void say_changes(const Call& call, const core::Tunables& before, const core::Tunables& after);

}  // namespace

void get_config(const ServicePtr& service, const CallPtr& call) {
  const Result<core::Tunables> tunables = service->scheduler.tunables(call->who());
  if (!tunables.ok()) return call->fail(tunables.error());
  call->send(200, tunables_table().write(*tunables));
}

// Serves both PUT and PATCH. The settings in the body change, all or none; the answer has all settings.
void put_config(const ServicePtr& service, const CallPtr& call) {
  const std::optional<Json> body = body_or_fail(call, true);
  if (!body) return;
  Result<std::map<std::string, std::string>> values = changed_settings(*body);
  if (!values.ok()) return call->fail(values.error());
  service->scheduler.put_tunables(
      call->who(), std::move(*values),
      service->then<services::TunablesPut>(call, [call](const services::TunablesPut& put) {
        say_changes(*call, put.before, put.after);
        call->send(200, tunables_table().write(put.after));
      }));
}

namespace {

// The settings to store, or the error of the first bad member. The engine checks whether they fit together
// with those that the request does not name, since only it knows their values.
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

void say_changes(const Call& call, const core::Tunables& before, const core::Tunables& after) {
  const auto old = core::tunable_values(before);
  const auto now = core::tunable_values(after);
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (old[i].second == now[i].second) continue;
    call.did("setting changed", {{"setting", now[i].first}, {"from", old[i].second}, {"to", now[i].second}});
  }
}

}  // namespace

}  // namespace drover::api
