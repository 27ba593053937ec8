#include "ec2_service.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"

namespace drover::localcloud {

namespace {

constexpr std::int64_t kPageMin = 5;
constexpr std::int64_t kPageMax = 1000;
constexpr std::size_t kConsoleBytes = 64 * 1024;

// The listing that a page belongs to: everything but where the page lies.
std::string listing_of(const Params& params) {
  std::string text;
  for (const auto& [key, value] : params.all()) {
    if (key != "NextToken" && key != "MaxResults") text += key + "=" + value + "\n";
  }
  return to_hex(sha256(text)).substr(0, 16);
}

std::string make_token(std::int64_t sequence, const Params& params) {
  return base64_encode(std::to_string(sequence) + ":" + listing_of(params));
}

// The last sequence of the page before.
std::optional<std::int64_t> read_token(const Params& params) {
  const auto text = base64_decode(params.text("NextToken"));
  if (!text) return std::nullopt;
  const auto colon = text->find(':');
  if (colon == std::string::npos || text->substr(colon + 1) != listing_of(params)) return std::nullopt;
  return parse_int(text->substr(0, colon));
}

void write_state(std::string_view element, core::InstanceState state, Xml& xml) {
  xml.open(element).leaf("code", std::to_string(state_code(state))).leaf("name", core::to_string(state));
  xml.close(element);
}

void write_tags(const Tags& tags, Xml& xml) {
  xml.open("tagSet");
  for (const auto& [key, value] : tags) {
    xml.open("item").leaf("key", key).leaf("value", value).close("item");
  }
  xml.close("tagSet");
}

}  // namespace

bool is_instance_id(std::string_view id) {
  if (!id.starts_with("i-")) return false;
  const auto digits = id.substr(2);
  return (digits.size() == 8 || digits.size() == 17) &&
         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void write_instance(const Instance& instance, Xml& xml) {
  const bool ended = !runs(instance);
  xml.open("item").leaf("instanceId", instance.id).leaf("imageId", instance.image);
  write_state("instanceState", instance.state, xml);
  // An ended instance has given its address back.
  xml.leaf("privateDnsName", ended ? "" : "localhost").leaf("dnsName", "");
  xml.leaf("reason", ended ? instance.reason_message : "");
  xml.leaf("amiLaunchIndex", std::to_string(instance.launch_index)).leaf("instanceType", instance.type);
  xml.leaf("launchTime", ec2_time(instance.launched_at));
  xml.open("placement").leaf("availabilityZone", instance.zone).leaf("tenancy", "default").close("placement");
  if (!ended) {
    xml.leaf("subnetId", instance.subnet)
        .leaf("vpcId", "vpc-00000000")
        .leaf("privateIpAddress", instance.private_ip);
  }
  if (!instance.key_name.empty()) xml.leaf("keyName", instance.key_name);
  if (!instance.reason_code.empty()) {
    xml.open("stateReason").leaf("code", instance.reason_code).leaf("message", instance.reason_message);
    xml.close("stateReason");
  }
  const auto figures = figures_of(instance.type);
  xml.leaf("architecture", figures && figures->arm ? "arm64" : "x86_64");
  if (instance.market == core::Market::spot) {
    xml.leaf("instanceLifecycle", "spot").leaf("spotInstanceRequestId", instance.spot_request);
  }
  xml.leaf("clientToken", instance.client_token).open("groupSet");
  for (const auto& group : instance.security_groups) {
    xml.open("item").leaf("groupId", group).leaf("groupName", group).close("item");
  }
  xml.close("groupSet");
  write_tags(instance.tags, xml);
  xml.close("item");
}

std::vector<Instance> Ec2Service::visible() const {
  auto out = fleet_.list();
  const auto delay = faults_.visibility_delay();
  if (delay.count() > 0) {
    const auto newest = std::chrono::system_clock::now() - delay;
    std::erase_if(out, [&](const Instance& instance) { return instance.launched_at > newest; });
  }
  return out;
}

Status Ec2Service::check_ids(const std::vector<std::string>& ids) const {
  for (const auto& id : ids) {
    if (!is_instance_id(id)) return ec2_error("InvalidInstanceID.Malformed", "Invalid id: \"" + id + "\"");
  }
  std::set<std::string> known;
  for (const auto& instance : visible()) known.insert(instance.id);
  std::string missing;
  bool several = false;
  for (const auto& id : ids) {
    if (known.contains(id)) continue;
    several = !missing.empty();
    missing += (missing.empty() ? "" : ", ") + id;
  }
  if (missing.empty()) return Ok{};
  return ec2_error("InvalidInstanceID.NotFound", several
                                                     ? "The instance IDs '" + missing + "' do not exist"
                                                     : "The instance ID '" + missing + "' does not exist");
}

Result<std::vector<Instance>> Ec2Service::select(const Params& params, bool only_running,
                                                 std::string& next) const {
  const auto ids = params.list("InstanceId");
  const auto page = params.integer("MaxResults");
  if (!page) return page.error();
  if (*page && !ids.empty()) {
    return ec2_error("InvalidParameterCombination",
                     "The parameter instancesSet cannot be used with the parameter maxResults");
  }
  if (*page && (**page < kPageMin || **page > kPageMax)) {
    return ec2_error("InvalidParameterValue", "Value ( " + std::to_string(**page) +
                                                  " ) for parameter maxResults is invalid. Expecting a value "
                                                  "between 5 and 1000.");
  }
  const auto filters = parse_filters(params);
  if (!filters) return filters.error();
  if (auto known = check_ids(ids); !known) return known.error();
  std::int64_t after = 0;
  if (!params.text("NextToken").empty()) {
    const auto token = read_token(params);
    if (!token)
      return ec2_error("InvalidNextToken", "The token '" + params.text("NextToken") + "' is invalid");
    after = *token;
  }
  const auto limit = static_cast<std::size_t>(page->value_or(INT64_MAX));
  const std::set<std::string> wanted(ids.begin(), ids.end());
  std::vector<Instance> out;
  for (auto& instance : visible()) {
    if (instance.sequence <= after || (!wanted.empty() && !wanted.contains(instance.id))) continue;
    if ((only_running && instance.state != core::InstanceState::running) || !matches(instance, *filters))
      continue;
    if (out.size() == limit) {
      next = make_token(out.back().sequence, params);
      break;
    }
    out.push_back(std::move(instance));
  }
  return out;
}

Result<std::string> Ec2Service::describe_instances(const Params& params) {
  std::string next;
  const auto found = select(params, false, next);
  if (!found) return found.error();
  Xml xml;
  xml.open("reservationSet");
  for (std::size_t i = 0; i < found->size();) {
    const auto& reservation = (*found)[i].reservation;
    xml.open("item").leaf("reservationId", reservation).leaf("ownerId", "000000000000");
    xml.open("groupSet").close("groupSet").open("instancesSet");
    for (; i < found->size() && (*found)[i].reservation == reservation; ++i) write_instance((*found)[i], xml);
    xml.close("instancesSet").close("item");
  }
  xml.close("reservationSet");
  if (!next.empty()) xml.leaf("nextToken", next);
  return xml.text();
}

Result<std::string> Ec2Service::terminate_instances(const Params& params) {
  const auto ids = params.list("InstanceId");
  if (ids.empty()) return ec2_error("MissingParameter", "The request must contain the parameter InstanceId");
  if (auto known = check_ids(ids); !known) return known.error();
  const auto changes = fleet_.terminate(ids);
  if (!changes) return changes.error();
  Xml xml;
  xml.open("instancesSet");
  for (const auto& change : *changes) {
    xml.open("item").leaf("instanceId", change.id);
    write_state("currentState", change.current, xml);
    write_state("previousState", change.previous, xml);
    xml.close("item");
  }
  xml.close("instancesSet");
  return xml.text();
}

Result<std::string> Ec2Service::describe_instance_status(const Params& params) {
  std::string next;
  const auto found = select(params, !params.is_true("IncludeAllInstances"), next);
  if (!found) return found.error();
  Xml xml;
  xml.open("instanceStatusSet");
  for (const auto& instance : *found) {
    const bool running = instance.state == core::InstanceState::running;
    xml.open("item").leaf("instanceId", instance.id).leaf("availabilityZone", instance.zone);
    write_state("instanceState", instance.state, xml);
    for (const auto* name : {"systemStatus", "instanceStatus"}) {
      xml.open(name).leaf("status", running ? "ok" : "not-applicable").close(name);
    }
    xml.close("item");
  }
  xml.close("instanceStatusSet");
  if (!next.empty()) xml.leaf("nextToken", next);
  return xml.text();
}

namespace {

struct SpotStatus {
  std::string_view state;
  std::string_view code;
};
SpotStatus spot_status(const Instance& instance) {
  if (runs(instance)) {
    return {"active", instance.interrupt_at ? "marked-for-termination" : "fulfilled"};
  }
  if (instance.reason_code.starts_with("Server.Spot")) return {"closed", "instance-terminated-no-capacity"};
  return {"closed", "instance-terminated-by-user"};
}

}  // namespace

Result<std::string> Ec2Service::describe_spot_requests(const Params& params) {
  const auto ids = params.list("SpotInstanceRequestId");
  const std::set<std::string> wanted(ids.begin(), ids.end());
  Xml xml;
  xml.open("spotInstanceRequestSet");
  for (const auto& instance : visible()) {
    if (instance.market != core::Market::spot) continue;
    if (!wanted.empty() && !wanted.contains(instance.spot_request)) continue;
    const auto status = spot_status(instance);
    xml.open("item").leaf("spotInstanceRequestId", instance.spot_request).leaf("state", status.state);
    xml.open("status")
        .leaf("code", status.code)
        .leaf("updateTime", ec2_time(instance.launched_at))
        .close("status");
    xml.leaf("type", "one-time")
        .leaf("instanceId", instance.id)
        .leaf("createTime", ec2_time(instance.launched_at));
    xml.close("item");
  }
  xml.close("spotInstanceRequestSet");
  return xml.text();
}

Result<std::string> Ec2Service::describe_tags(const Params& params) {
  std::map<std::string, std::vector<std::string>> wanted;
  for (const auto& filter : params.structs("Filter")) wanted[filter.text("Name")] = filter.list("Value");
  const auto passes = [&](const char* name, const std::string& value) {
    return !wanted.contains(name) || matches_any(wanted.at(name), value);
  };
  Xml xml;
  xml.open("tagSet");
  for (const auto& instance : visible()) {
    if (!passes("resource-id", instance.id) || !passes("resource-type", "instance")) continue;
    for (const auto& [key, value] : instance.tags) {
      if (!passes("key", key) || !passes("value", value)) continue;
      xml.open("item").leaf("resourceId", instance.id).leaf("resourceType", "instance");
      xml.leaf("key", key).leaf("value", value).close("item");
    }
  }
  xml.close("tagSet");
  return xml.text();
}

Result<std::string> Ec2Service::create_tags(const Params& params) {
  const auto ids = params.list("ResourceId");
  if (auto known = check_ids(ids); !known) return known.error();
  std::vector<std::pair<std::string, std::optional<std::string>>> tags;
  for (const auto& tag : params.structs("Tag")) tags.emplace_back(tag.text("Key"), tag.text("Value"));
  if (ids.empty() || tags.empty()) {
    return ec2_error("MissingParameter", "The request must contain the parameters ResourceId and Tag");
  }
  if (auto tagged = fleet_.tag(ids, tags); !tagged) return tagged.error();
  return std::string("<return>true</return>");
}

Result<std::string> Ec2Service::delete_tags(const Params& params) {
  const auto ids = params.list("ResourceId");
  if (auto known = check_ids(ids); !known) return known.error();
  std::vector<std::pair<std::string, std::optional<std::string>>> tags;
  for (const auto& tag : params.structs("Tag")) tags.emplace_back(tag.text("Key"), std::nullopt);
  if (auto removed = fleet_.tag(ids, tags); !removed) return removed.error();
  return std::string("<return>true</return>");
}

Result<std::string> Ec2Service::get_console_output(const Params& params) {
  const auto id = params.text("InstanceId");
  if (auto known = check_ids({id}); !known) return known.error();
  Xml xml;
  xml.leaf("instanceId", id)
      .leaf("timestamp", ec2_time(std::chrono::floor<Micros>(std::chrono::system_clock::now())))
      .leaf("output", base64_encode(read_tail(fleet_.paths(id).console(), kConsoleBytes)));
  return xml.text();
}

}  // namespace drover::localcloud
