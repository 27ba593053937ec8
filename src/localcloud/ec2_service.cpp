#include "ec2_service.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "drover/base/text.hpp"

#include "ec2_paging.hpp"

namespace drover::localcloud {

namespace {

constexpr std::size_t kConsoleBytes = 64 * 1024;

void write_tags(const Tags& tags, Xml& xml) {
  xml.open("tagSet");
  for (const auto& [key, value] : tags) {
    xml.open("item").leaf("key", key).leaf("value", value).close("item");
  }
  xml.close("tagSet");
}

// The instance's volumes and its network interface, which a terminated instance has no more.
void write_attachments(const Instance& instance, Xml& xml) {
  if (instance.volumes.empty()) return;  // of an older local cloud
  xml.leaf("rootDeviceType", "ebs").leaf("rootDeviceName", instance.volumes.front().device);
  if (!lives(instance)) return;
  xml.open("blockDeviceMapping");
  for (const auto& volume : instance.volumes) {
    xml.open("item").leaf("deviceName", volume.device).open("ebs");
    xml.leaf("volumeId", volume.id).leaf("status", "attached").close("ebs").close("item");
  }
  xml.close("blockDeviceMapping").open("networkInterfaceSet").open("item");
  xml.leaf("networkInterfaceId", instance.network_interface).leaf("status", "in-use");
  xml.close("item").close("networkInterfaceSet");
}

}  // namespace

void write_state(std::string_view element, core::InstanceState state, Xml& xml) {
  xml.open(element).leaf("code", std::to_string(state_code(state))).leaf("name", core::to_string(state));
  xml.close(element);
}

void write_instance(const Instance& instance, Xml& xml) {
  const bool ended = is_ending(instance);
  xml.open("item").leaf("instanceId", instance.id).leaf("imageId", instance.image);
  write_state("instanceState", instance.state, xml);
  // An ended instance has given its address back.
  xml.leaf("privateDnsName", ended ? "" : "localhost").leaf("dnsName", "");
  xml.leaf("reason", runs(instance) ? "" : instance.reason_message);
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
  write_attachments(instance, xml);
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
    const bool ec2s = core::is_instance_id(id) && (id.size() == 2 + 8 || id.size() == 2 + 17);
    if (!ec2s) return ec2_error("InvalidInstanceID.Malformed", "Invalid id: \"" + id + "\"");
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
  if (params.has("MaxResults") && !ids.empty()) {
    return ec2_error("InvalidParameterCombination",
                     "The parameter instancesSet cannot be used with the parameter maxResults");
  }
  const auto filters = parse_filters(params);
  if (!filters.ok()) return filters.error();
  if (auto known = check_ids(ids); !known.ok()) return known.error();
  const auto after = page_start(params);
  if (!after.ok()) return after.error();
  const auto limit =
      params.has("MaxResults") ? static_cast<std::size_t>(params.number("MaxResults")) : SIZE_MAX;
  const std::set<std::string> wanted(ids.begin(), ids.end());
  std::vector<Instance> out;
  for (auto& instance : visible()) {
    if (instance.sequence <= *after || (!wanted.empty() && !wanted.contains(instance.id))) continue;
    if ((only_running && instance.state != core::InstanceState::running) || !matches(instance, *filters))
      continue;
    if (out.size() == limit) {
      next = make_page_token(out.back().sequence, params);
      break;
    }
    out.push_back(std::move(instance));
  }
  return out;
}

Result<std::string> Ec2Service::describe_instances(const Params& params) {
  std::string next;
  const auto found = select(params, false, next);
  if (!found.ok()) return found.error();
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

Result<std::string> Ec2Service::describe_instance_status(const Params& params) {
  std::string next;
  const auto found = select(params, !params.is_true("IncludeAllInstances"), next);
  if (!found.ok()) return found.error();
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

std::string spot_item(const Instance& instance, const SpotStatus& status) {
  Xml xml;
  xml.open("item").leaf("spotInstanceRequestId", instance.spot_request).leaf("state", status.state);
  xml.open("status")
      .leaf("code", status.code)
      .leaf("updateTime", ec2_time(instance.launched_at))
      .close("status");
  xml.leaf("type", "one-time")
      .leaf("instanceId", instance.id)
      .leaf("createTime", ec2_time(instance.launched_at));
  write_tags(instance.spot_tags, xml);
  xml.close("item");
  return xml.text();
}

}  // namespace

Result<std::string> Ec2Service::describe_spot_requests(const Params& params) {
  constexpr std::array<std::string_view, 7> kNames{
      "tag:",  "tag-key",     "spot-instance-request-id",  "instance-id",
      "state", "status-code", "launched-availability-zone"};
  const auto filters = parse_filters(params, kNames);
  if (!filters.ok()) return filters.error();
  const auto ids = params.list("SpotInstanceRequestId");
  std::set<std::string> wanted(ids.begin(), ids.end());
  std::vector<std::string> items;
  for (const auto& instance : visible()) {
    if (instance.market != core::Market::spot) continue;
    if (!ids.empty() && wanted.erase(instance.spot_request) == 0) continue;
    const auto status = spot_status(instance);
    if (!passes(*filters, "spot-instance-request-id", instance.spot_request) ||
        !passes(*filters, "instance-id", instance.id) || !passes(*filters, "state", status.state) ||
        !passes(*filters, "status-code", status.code) ||
        !passes(*filters, "launched-availability-zone", instance.zone) ||
        !passes_tags(*filters, instance.spot_tags)) {
      continue;
    }
    items.push_back(spot_item(instance, status));
  }
  if (!wanted.empty()) {
    return ec2_error("InvalidSpotInstanceRequestID.NotFound",
                     "The spot instance request ID '" + *wanted.begin() + "' does not exist");
  }
  return page_of(params, "spotInstanceRequestSet", items);
}

Result<std::string> Ec2Service::get_console_output(const Params& params) {
  const auto id = params.text("InstanceId");
  if (auto known = check_ids({id}); !known.ok()) return known.error();
  if (auto permitted = permit("GetConsoleOutput", params); !permitted.ok()) return permitted.error();
  Xml xml;
  xml.leaf("instanceId", id)
      .leaf("timestamp", ec2_time(std::chrono::floor<Micros>(std::chrono::system_clock::now())))
      .leaf("output", base64_encode(read_tail(fleet_.paths(id).console(), kConsoleBytes)));
  return xml.text();
}

}  // namespace drover::localcloud
