#include "control.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "drover/base/text.hpp"
#include "drover/http/problem.hpp"

#include "ec2_protocol.hpp"
#include "ec2_service.hpp"
#include "fleet_files.hpp"

namespace drover::localcloud {

namespace {

constexpr std::int64_t kCountMax = 1'000'000'000;
constexpr std::int64_t kClockMax = 10LL * 365 * 24 * 3600;

// The members of one request's object, taken one by one. The first fault is kept; a member that was not asked
// for is a fault.
class Body {
 public:
  Body(const std::string& text, const std::vector<std::string_view>& known) {
    auto json = parse_json(text.empty() ? "{}" : text);
    if (!json.ok()) {
      fault_ = json.error();
      return;
    }
    json_ = *std::move(json);
    if (json_.if_object() == nullptr) {
      fault_ = invalid("", "the body must be a JSON object");
      return;
    }
    for (const auto& member : *json_.if_object()) {
      if (std::ranges::find(known, member.key) == known.end())
        fail(member.key, "is not a member of this request");
    }
  }

  [[nodiscard]] bool has(std::string_view key) const { return json_.find(key) != nullptr; }

  [[nodiscard]] bool is_null(std::string_view key) const {
    const auto* member = json_.find(key);
    return member != nullptr && member->is_null();
  }

  std::int64_t integer(std::string_view key, std::int64_t least, std::int64_t most,
                       std::optional<std::int64_t> other) {
    const auto* member = json_.find(key);
    if (member == nullptr && other) return *other;
    const auto* number = member == nullptr ? nullptr : member->if_int();
    if (number == nullptr || *number < least || *number > most) {
      fail(key, "must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
      return least;
    }
    return *number;
  }

  std::string text(std::string_view key, std::optional<std::string> other) {
    const auto* member = json_.find(key);
    if (member == nullptr && other) return *other;
    const auto* value = member == nullptr ? nullptr : member->if_string();
    if (value == nullptr || value->empty()) {
      fail(key, "must be a string that is not empty");
      return {};
    }
    return *value;
  }

  std::vector<std::string> texts(std::string_view key) {
    std::vector<std::string> out;
    const auto* member = json_.find(key);
    const auto* items = member == nullptr ? nullptr : member->if_array();
    if (items == nullptr) fail(key, "must be an array of strings");
    for (const auto& item : items == nullptr ? Json::Array() : *items) {
      const auto* value = item.if_string();
      if (value == nullptr) fail(key, "must be an array of strings");
      if (value != nullptr) out.push_back(*value);
    }
    return out;
  }

  bool boolean(std::string_view key) {
    const auto* member = json_.find(key);
    if (member == nullptr) return false;
    const auto* value = member->if_bool();
    if (value == nullptr) fail(key, "must be true or false");
    return value != nullptr && *value;
  }

  // The name of an action the endpoint knows, or "*".
  std::string action(std::optional<std::string> other = std::nullopt) {
    auto name = text("action", std::move(other));
    if (!fault_ && name != "*" && !Ec2Service::knows(name)) {
      fail("action", "must be an action of the endpoint, or * for all");
    }
    return name;
  }

  void fail(std::string_view key, const std::string& why) {
    if (!fault_) fault_ = invalid(std::string(key), std::string(key) + " " + why);
  }
  [[nodiscard]] const std::optional<Error>& fault() const { return fault_; }

 private:
  Json json_;
  std::optional<Error> fault_;
};

Json instance_json(const Fleet& fleet, const Instance& instance) {
  const auto files = fleet.paths(instance.id);
  const auto record = to_json(instance);
  auto out = Json::object();
  out.set("id", instance.id)
      .set("state", std::string(core::to_string(instance.state)))
      .set("state_reason", instance.reason_code)
      .set("type", instance.type)
      .set("zone", instance.zone)
      .set("market", std::string(core::to_string(instance.market)))
      .set("client_token", instance.client_token)
      .set("private_ip", instance.private_ip)
      .set("launched_at", to_rfc3339(instance.launched_at))
      .set("interrupt_at", instance.interrupt_at ? Json(to_rfc3339(*instance.interrupt_at)) : Json())
      .set("directory", files.directory)
      .set("tags", *record.find("tags"))
      .set("volumes", *record.find("volumes"))
      .set("volume_tags", *record.find("volume_tags"))
      .set("interface_tags", *record.find("interface_tags"))
      .set("spot_tags", *record.find("spot_tags"))
      .set("keeps_from_termination", instance.keeps_from_termination)
      .set("keeps_from_stopping", instance.keeps_from_stopping);
  const auto mark = supervisor_of(files);
  const auto port = imds_port_of(files);
  out.set("supervisor_pid", mark && lives(instance) ? Json(static_cast<std::int64_t>(mark->pid)) : Json());
  out.set("imds", port > 0 && lives(instance) ? Json("http://127.0.0.1:" + std::to_string(port)) : Json());
  return out;
}

// A handler that answers at once with what `answer` makes of the request.
template <class Answer>
http::RouteHandler answering(Answer answer) {
  return [answer = std::move(answer)](http::Context context) {
    Result<Json> result = answer(context);
    if (result.ok()) {
      context.reply.send(http::Response::json(200, result->dump() + "\n"));
    } else {
      context.reply.send(http::problem(result.error()));
    }
  };
}

void post(http::Router& router, std::string pattern, http::RouteHandler handler) {
  router.add({.method = "POST",
              .pattern = std::move(pattern),
              .handler = std::move(handler),
              .takes = http::Takes::body});
}

// A fault's handler: reads the body, arms when it is sound, answers all that is armed now.
template <class Arm>
http::RouteHandler arming(Faults& faults, std::vector<std::string_view> known, Arm arm) {
  return answering(
      [&faults, known = std::move(known), arm = std::move(arm)](http::Context& context) -> Result<Json> {
        Body body(context.request.body, known);
        arm(body);
        if (body.fault()) return *body.fault();
        return faults.describe();
      });
}

void add_call_faults(http::Router& router, Faults& faults) {
  post(router, "/throttle", arming(faults, {"action", "requests", "off"}, [&faults](Body& body) {
         const auto action = body.action();
         const auto off = body.boolean("off");
         const auto requests = off ? 0 : body.integer("requests", 1, kCountMax, std::nullopt);
         if (!body.fault()) faults.set_throttle(action, requests);
       }));
  post(router, "/lose-reply", arming(faults, {"action", "count"}, [&faults](Body& body) {
         const auto action = body.action();
         const auto count = body.integer("count", 0, kCountMax, 1);
         if (!body.fault()) faults.set_lose_reply(action, count);
       }));
  post(router, "/delay", arming(faults, {"action", "ms"}, [&faults](Body& body) {
         const auto action = body.action("*");
         const auto ms = body.integer("ms", 0, 3'600'000, std::nullopt);
         if (!body.fault()) faults.set_delay(action, Millis(ms));
       }));
  post(router, "/truncate-page", arming(faults, {"action", "count"}, [&faults](Body& body) {
         const auto action = body.action("DescribeInstances");
         const auto count = body.integer("count", 0, kCountMax, 1);
         if (!body.fault()) faults.set_truncate(action, count);
       }));
  post(router, "/error",
       arming(faults, {"action", "code", "message", "status", "count"}, [&faults](Body& body) {
         const auto action = body.action();
         const auto count = body.integer("count", 0, kCountMax, 1);
         auto error = ec2_error(body.text("code", count == 0 ? std::optional<std::string>("") : std::nullopt),
                                body.text("message", "A planned error."));
         if (body.has("status")) error.field = std::to_string(body.integer("status", 400, 599, std::nullopt));
         if (!body.fault()) faults.set_error(action, std::move(error), count);
       }));
}

// An action as policies name it: "ec2:RunInstances", or what a launch needs of IAM.
bool is_policy_action(std::string_view name) {
  constexpr std::string_view kOfEc2 = "ec2:";
  if (name == "iam:PassRole" || name == "iam:CreateServiceLinkedRole") return true;
  if (!name.starts_with(kOfEc2) || name == "ec2:GetCallerIdentity") return false;
  return Ec2Service::knows(std::string(name.substr(kOfEc2.size())));
}

void add_cloud_faults(http::Router& router, Faults& faults) {
  post(router, "/deny", arming(faults, {"actions"}, [&faults](Body& body) {
         auto actions = body.texts("actions");
         if (!std::ranges::all_of(actions, is_policy_action)) {
           body.fail("actions", "must name actions as policies do: \"ec2:RunInstances\", \"iam:PassRole\"");
         }
         if (!body.fault()) faults.set_denied(std::move(actions));
       }));
  post(router, "/capacity", arming(faults, {"type", "zone", "available"}, [&faults](Body& body) {
         const auto type = body.text("type", "*");
         const auto zone = body.text("zone", "*");
         const bool unlimited = body.is_null("available");
         const auto left = unlimited ? 0 : body.integer("available", 0, kCountMax, std::nullopt);
         if (body.fault()) return;
         faults.set_capacity(type, zone, unlimited ? std::nullopt : std::optional(left));
       }));
  post(router, "/visibility", arming(faults, {"delay_ms"}, [&faults](Body& body) {
         const auto ms = body.integer("delay_ms", 0, 86'400'000, std::nullopt);
         if (!body.fault()) faults.set_visibility_delay(Millis(ms));
       }));
  post(router, "/clock", arming(faults, {"offset_s"}, [&faults](Body& body) {
         const auto offset = body.integer("offset_s", -kClockMax, kClockMax, std::nullopt);
         if (!body.fault()) faults.set_clock_offset(Seconds(offset));
       }));
  router.add(
      {"GET", "/faults", answering([&faults](http::Context&) -> Result<Json> { return faults.describe(); })});
  router.add({"DELETE", "/faults", answering([&faults](http::Context&) -> Result<Json> {
                faults.clear();
                return faults.describe();
              })});
  router.add({"GET", "/calls", answering([&faults](http::Context&) -> Result<Json> {
                auto out = Json::object();
                for (const auto& [action, count] : faults.calls()) out.set(action, count);
                return out;
              })});
}

bool is_reason(std::string_view text) {
  return text.size() <= 100 && (text.starts_with("Server.") || text.starts_with("Client.")) &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
         });
}

void add_instances(http::Router& router, Fleet& fleet) {
  router.add({"GET", "/instances", answering([&fleet](http::Context&) -> Result<Json> {
                auto out = Json::array();
                for (const auto& instance : fleet.list()) out.push(instance_json(fleet, instance));
                return out;
              })});
  router.add({"GET", "/instances/{id}", answering([&fleet](http::Context& context) -> Result<Json> {
                const auto instance = fleet.find(context.path.at("id"));
                if (instance) return instance_json(fleet, *instance);
                return not_found("there is no instance " + context.path.at("id"));
              })});
  post(router, "/instances/{id}/interrupt", answering([&fleet](http::Context& context) -> Result<Json> {
         Body body(context.request.body, {"notice_s"});
         const auto notice = body.integer("notice_s", 0, 86'400, 120);
         if (body.fault()) return *body.fault();
         const auto instance = fleet.interrupt(context.path.at("id"), Seconds(notice));
         if (!instance.ok()) return instance.error();
         return instance_json(fleet, *instance);
       }));
  post(router, "/instances/{id}/kill", answering([&fleet](http::Context& context) -> Result<Json> {
         Body body(context.request.body, {"reason"});
         const auto reason = body.text("reason", "Server.SpotInstanceTermination");
         if (!is_reason(reason)) body.fail("reason", "must be a state reason's code, Server.… or Client.…");
         if (body.fault()) return *body.fault();
         const auto instance = fleet.kill(context.path.at("id"), reason);
         if (!instance.ok()) return instance.error();
         return instance_json(fleet, *instance);
       }));
}

}  // namespace

void add_control_routes(http::Router& router, Fleet& fleet, Faults& faults) {
  add_instances(router, fleet);
  add_call_faults(router, faults);
  add_cloud_faults(router, faults);
}

}  // namespace drover::localcloud
