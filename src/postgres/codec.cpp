#include "codec.hpp"

#include "drover/base/json.hpp"

namespace drover::postgres {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Json strings(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const std::string& value : values) out.push(value);
  return out;
}

Json pairs(const Pairs& values) {
  Json out = Json::array();
  for (const auto& [key, value] : values) out.push(Json::array().push(key).push(value));
  return out;
}

Pairs read_pairs(const Json* json) {
  Pairs out;
  const Json::Array* items = json == nullptr ? nullptr : json->if_array();
  if (items == nullptr) return out;
  for (const Json& item : *items) {
    const Json::Array* pair = item.if_array();
    if (pair == nullptr || pair->size() != 2) continue;
    const std::string* key = (*pair)[0].if_string();
    const std::string* value = (*pair)[1].if_string();
    if (key != nullptr && value != nullptr) out.emplace_back(*key, *value);
  }
  return out;
}

Json parsed(std::string_view text) {
  auto json = parse_json(text);
  return json ? std::move(*json) : Json();
}

class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}
  void read(std::string_view key, std::string& out) const {
    const Json* json = object_.find(key);
    if (const std::string* value = json == nullptr ? nullptr : json->if_string()) out = *value;
  }
  void read(std::string_view key, int& out) const {
    const Json* json = object_.find(key);
    if (const std::int64_t* value = json == nullptr ? nullptr : json->if_int())
      out = static_cast<int>(*value);
  }
  void read(std::string_view key, Seconds& out) const {
    const Json* json = object_.find(key);
    if (const std::int64_t* value = json == nullptr ? nullptr : json->if_int()) out = Seconds{*value};
  }
  void read(std::string_view key, double& out) const {
    double storage = 0;
    const Json* json = object_.find(key);
    if (const double* value = json == nullptr ? nullptr : json->if_number(storage)) out = *value;
  }
  void read(std::string_view key, std::vector<std::string>& out) const {
    const Json* json = object_.find(key);
    const Json::Array* items = json == nullptr ? nullptr : json->if_array();
    if (items == nullptr) return;
    out.clear();
    for (const Json& item : *items) {
      if (const std::string* value = item.if_string()) out.push_back(*value);
    }
  }
  template <class E>
  void read(std::string_view key, std::optional<E> (*parse)(std::string_view), E& out) const {
    std::string text;
    read(key, text);
    out = parse(text).value_or(out);
  }

 private:
  const Json& object_;
};

}  // namespace

std::string encode_pool(const core::PoolSpec& spec) {
  Json out = Json::object();
  out.set("name", spec.name)
      .set("provider", core::to_string(spec.provider))
      .set("queues", strings(spec.queues));
  out.set("min", spec.min).set("max", spec.max).set("slots", spec.slots);
  out.set("instances_per_job", spec.instances_per_job).set("max_increase", spec.max_increase);
  out.set("idle_timeout_s", std::int64_t{spec.idle_timeout.count()});
  out.set("registration_timeout_s", std::int64_t{spec.registration_timeout.count()});
  out.set("market", core::to_string(spec.market)).set("image", spec.image);
  out.set("instance_types", strings(spec.instance_types)).set("subnets", strings(spec.subnets));
  out.set("security_groups", strings(spec.security_groups)).set("instance_profile", spec.instance_profile);
  out.set("key_name", spec.key_name).set("max_price", spec.max_price).set("disk_gib", spec.disk_gib);
  out.set("tags", pairs(spec.tags));
  return out.dump();
}

core::PoolSpec decode_pool(std::string_view text) {
  const Json json = parsed(text);
  const Members in(json);
  core::PoolSpec spec;
  in.read("name", spec.name);
  in.read("provider", core::parse_provider, spec.provider);
  in.read("queues", spec.queues);
  in.read("min", spec.min);
  in.read("max", spec.max);
  in.read("slots", spec.slots);
  in.read("instances_per_job", spec.instances_per_job);
  in.read("max_increase", spec.max_increase);
  in.read("idle_timeout_s", spec.idle_timeout);
  in.read("registration_timeout_s", spec.registration_timeout);
  in.read("market", core::parse_market, spec.market);
  in.read("image", spec.image);
  in.read("instance_types", spec.instance_types);
  in.read("subnets", spec.subnets);
  in.read("security_groups", spec.security_groups);
  in.read("instance_profile", spec.instance_profile);
  in.read("key_name", spec.key_name);
  in.read("max_price", spec.max_price);
  in.read("disk_gib", spec.disk_gib);
  spec.tags = read_pairs(json.find("tags"));
  return spec;
}

std::string encode_launch(const core::LaunchRequest& request) {
  Json out = Json::object();
  out.set("client_token", request.client_token).set("count", request.count);
  out.set("market", core::to_string(request.market)).set("image", request.image);
  out.set("instance_type", request.instance_type).set("subnet", request.subnet);
  out.set("security_groups", strings(request.security_groups))
      .set("instance_profile", request.instance_profile);
  out.set("key_name", request.key_name)
      .set("max_price", request.max_price)
      .set("user_data", request.user_data);
  out.set("disk_gib", request.disk_gib).set("tags", pairs(request.tags));
  return out.dump();
}

core::LaunchRequest decode_launch(std::string_view text) {
  const Json json = parsed(text);
  const Members in(json);
  core::LaunchRequest request;
  in.read("client_token", request.client_token);
  in.read("count", request.count);
  in.read("market", core::parse_market, request.market);
  in.read("image", request.image);
  in.read("instance_type", request.instance_type);
  in.read("subnet", request.subnet);
  in.read("security_groups", request.security_groups);
  in.read("instance_profile", request.instance_profile);
  in.read("key_name", request.key_name);
  in.read("max_price", request.max_price);
  in.read("user_data", request.user_data);
  in.read("disk_gib", request.disk_gib);
  request.tags = read_pairs(json.find("tags"));
  return request;
}

std::string encode_labels(const core::Labels& labels) {
  return pairs(labels).dump();
}

core::Labels decode_labels(std::string_view text) {
  const Json json = parsed(text);
  return read_pairs(&json);
}

}  // namespace drover::postgres
