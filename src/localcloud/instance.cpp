#include "instance.hpp"

#include "drover/base/text.hpp"

#include "process.hpp"

namespace drover::localcloud {

namespace {

Json pairs_to_json(const Tags& tags) {
  auto out = Json::object();
  for (const auto& [key, value] : tags) out.set(key, value);
  return out;
}

Tags pairs_from_json(const Json* json) {
  Tags out;
  if (json == nullptr || json->if_object() == nullptr) return out;
  for (const auto& member : *json->if_object()) {
    if (const auto* value = member.value.if_string()) out.emplace_back(member.key, *value);
  }
  return out;
}

std::string text_of(const Json& json, std::string_view key) {
  const auto* member = json.find(key);
  const auto* text = member == nullptr ? nullptr : member->if_string();
  return text == nullptr ? std::string() : *text;
}

std::int64_t integer_of(const Json& json, std::string_view key) {
  const auto* member = json.find(key);
  const auto* number = member == nullptr ? nullptr : member->if_int();
  return number == nullptr ? 0 : *number;
}

bool flag_of(const Json& json, std::string_view key) {
  const auto* member = json.find(key);
  const auto* flag = member == nullptr ? nullptr : member->if_bool();
  return flag != nullptr && *flag;
}

Json volumes_to_json(const std::vector<Volume>& volumes) {
  auto out = Json::array();
  for (const auto& volume : volumes) {
    out.push(Json::object()
                 .set("id", volume.id)
                 .set("device", volume.device)
                 .set("size_gib", std::int64_t{volume.size_gib}));
  }
  return out;
}

std::vector<Volume> volumes_from_json(const Json* json) {
  std::vector<Volume> out;
  if (json == nullptr || json->if_array() == nullptr) return out;
  for (const auto& item : *json->if_array()) {
    out.push_back(
        {text_of(item, "id"), text_of(item, "device"), static_cast<int>(integer_of(item, "size_gib"))});
  }
  return out;
}

std::optional<WallTime> time_of(const Json& json, std::string_view key) {
  const auto text = text_of(json, key);
  return text.empty() ? std::nullopt : parse_rfc3339(text);
}

}  // namespace

Json to_json(const Instance& instance) {
  auto groups = Json::array();
  for (const auto& group : instance.security_groups) groups.push(group);
  auto out = Json::object();
  out.set("id", instance.id)
      .set("sequence", instance.sequence)
      .set("state", std::string(core::to_string(instance.state)))
      .set("reason_code", instance.reason_code)
      .set("reason_message", instance.reason_message)
      .set("launched_at", to_rfc3339(instance.launched_at))
      .set("reservation", instance.reservation)
      .set("launch_index", instance.launch_index)
      .set("client_token", instance.client_token)
      .set("parameters_hash", instance.parameters_hash)
      .set("image", instance.image)
      .set("type", instance.type)
      .set("zone", instance.zone)
      .set("region", instance.region)
      .set("subnet", instance.subnet)
      .set("private_ip", instance.private_ip)
      .set("key_name", instance.key_name)
      .set("security_groups", groups)
      .set("market", std::string(core::to_string(instance.market)))
      .set("spot_request", instance.spot_request)
      .set("max_price", instance.max_price)
      .set("volumes", volumes_to_json(instance.volumes))
      .set("network_interface", instance.network_interface)
      .set("tags", pairs_to_json(instance.tags))
      .set("volume_tags", pairs_to_json(instance.volume_tags))
      .set("interface_tags", pairs_to_json(instance.interface_tags))
      .set("spot_tags", pairs_to_json(instance.spot_tags))
      .set("shows_tags", instance.shows_tags)
      .set("keeps_from_termination", instance.keeps_from_termination)
      .set("keeps_from_stopping", instance.keeps_from_stopping)
      .set("stops_on_shutdown", instance.stops_on_shutdown)
      .set("boots", std::int64_t{instance.boots})
      .set("environment", pairs_to_json(instance.environment))
      .set("shutdown_grace_ms", std::int64_t{instance.shutdown_grace.count()});
  if (instance.terminated_at) out.set("terminated_at", to_rfc3339(*instance.terminated_at));
  if (instance.interrupt_at) out.set("interrupt_at", to_rfc3339(*instance.interrupt_at));
  return out;
}

Result<Instance> instance_from_json(const Json& json) {
  Instance out;
  out.id = text_of(json, "id");
  const auto launched = time_of(json, "launched_at");
  const auto market = core::parse_market(text_of(json, "market"));
  out.state = core::parse_instance_state(text_of(json, "state"));
  if (out.id.empty() || !launched || !market || out.state == core::InstanceState::unknown) {
    return Error{Errc::data, "not an instance's record"};
  }
  out.sequence = integer_of(json, "sequence");
  out.reason_code = text_of(json, "reason_code");
  out.reason_message = text_of(json, "reason_message");
  out.launched_at = *launched;
  out.terminated_at = time_of(json, "terminated_at");
  out.interrupt_at = time_of(json, "interrupt_at");
  out.reservation = text_of(json, "reservation");
  out.launch_index = static_cast<int>(integer_of(json, "launch_index"));
  out.client_token = text_of(json, "client_token");
  out.parameters_hash = text_of(json, "parameters_hash");
  out.image = text_of(json, "image");
  out.type = text_of(json, "type");
  out.zone = text_of(json, "zone");
  out.region = text_of(json, "region");
  out.subnet = text_of(json, "subnet");
  out.private_ip = text_of(json, "private_ip");
  out.key_name = text_of(json, "key_name");
  if (const auto* groups = json.find("security_groups"); groups != nullptr && groups->if_array() != nullptr) {
    for (const auto& group : *groups->if_array()) {
      if (const auto* text = group.if_string()) out.security_groups.push_back(*text);
    }
  }
  out.market = *market;
  out.spot_request = text_of(json, "spot_request");
  out.max_price = text_of(json, "max_price");
  out.volumes = volumes_from_json(json.find("volumes"));
  out.network_interface = text_of(json, "network_interface");
  out.tags = pairs_from_json(json.find("tags"));
  out.volume_tags = pairs_from_json(json.find("volume_tags"));
  out.interface_tags = pairs_from_json(json.find("interface_tags"));
  out.spot_tags = pairs_from_json(json.find("spot_tags"));
  out.shows_tags = flag_of(json, "shows_tags");
  out.keeps_from_termination = flag_of(json, "keeps_from_termination");
  out.keeps_from_stopping = flag_of(json, "keeps_from_stopping");
  out.stops_on_shutdown = flag_of(json, "stops_on_shutdown");
  out.boots = static_cast<int>(integer_of(json, "boots"));
  out.environment = pairs_from_json(json.find("environment"));
  out.shutdown_grace = Millis(integer_of(json, "shutdown_grace_ms"));
  return out;
}

Result<Instance> load_instance(const std::string& path) {
  const auto text = read_file(path);
  if (!text.ok()) return text.error();
  const auto json = parse_json(*text);
  if (!json.ok()) return json.error();
  return instance_from_json(*json);
}

int state_code(core::InstanceState state) {
  switch (state) {
    case core::InstanceState::pending:
      return 0;
    case core::InstanceState::running:
      return 16;
    case core::InstanceState::shutting_down:
      return 32;
    case core::InstanceState::terminated:
      return 48;
    case core::InstanceState::stopping:
      return 64;
    case core::InstanceState::stopped:
      return 80;
    case core::InstanceState::unknown:
      break;
  }
  return 0;
}

std::string imds_time(WallTime time) {
  return to_rfc3339(std::chrono::floor<Seconds>(time));
}

std::string ec2_time(WallTime time) {
  auto text = imds_time(time);
  text.insert(text.size() - 1, ".000");
  return text;
}

}  // namespace drover::localcloud
