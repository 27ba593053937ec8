#include "codec.hpp"

#include "drover/base/json.hpp"
#include "drover/schema/pool.hpp"

namespace drover::postgres {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Json pairs(const Pairs& values) {
  Json out = Json::array();
  for (const auto& [key, value] : values) out.push(Json::array().push(key).push(value));
  return out;
}

Json parsed(std::string_view text) {
  auto json = parse_json(text);
  return json.ok() ? std::move(*json) : Json();
}

}  // namespace

std::string encode_pool(const core::PoolSpec& spec) {
  return schema::pool_spec_table().write(spec).dump();
}

core::PoolSpec decode_pool(std::string_view text) {
  core::PoolSpec spec;
  schema::pool_spec_table().restore(parsed(text), spec);
  return spec;
}

std::string encode_launch(const core::LaunchRequest& request) {
  return schema::launch_request_table().write(request).dump();
}

core::LaunchRequest decode_launch(std::string_view text) {
  core::LaunchRequest request;
  schema::launch_request_table().restore(parsed(text), request);
  return request;
}

std::string encode_labels(const core::Labels& labels) {
  return pairs(labels).dump();
}

core::Labels decode_labels(std::string_view text) {
  const Json json = parsed(text);
  core::Labels labels;
  schema::Pairs{}.restore(json, labels);
  return labels;
}

}  // namespace drover::postgres
