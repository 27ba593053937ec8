#include <algorithm>
#include <array>

#include "drover/base/text.hpp"

#include "ec2_paging.hpp"
#include "ec2_parameters.hpp"
#include "ec2_service.hpp"

namespace drover::localcloud {

Status check_tag(const std::string& key, const std::string& value) {
  if (key.empty()) return missing_parameter("Tag.Key");
  if (characters(key) > 128) return bad_parameter("Tag.Key", key, "At most 128 characters.");
  if (characters(value) > 256) return bad_parameter("Tag.Value", value, "At most 256 characters.");
  if (!lower(key).starts_with("aws:")) return Ok{};
  return ec2_error("InvalidParameterValue",
                   "Tag keys starting with 'aws:' are reserved for internal use: " + key);
}

Status check_metadata_tag(const std::string& key) {
  if (core::fits_metadata(key)) return Ok{};
  return ec2_error(
      "InvalidParameterValue",
      "'" + key +
          "' is not a valid tag key. Tag keys must match pattern "
          "([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')");
}

Result<std::string> Ec2Service::describe_tags(const Params& params) {
  constexpr std::array<std::string_view, 4> kNames{"resource-id", "resource-type", "key", "value"};
  const auto filters = parse_filters(params, kNames);
  if (!filters.ok()) return filters.error();
  std::vector<std::string> items;
  const auto add = [&](const std::string& id, std::string_view type, const Tags& tags) {
    if (!passes(*filters, "resource-id", id) || !passes(*filters, "resource-type", type)) return;
    for (const auto& [key, value] : tags) {
      if (!passes(*filters, "key", key) || !passes(*filters, "value", value)) continue;
      Xml xml;
      xml.open("item").leaf("resourceId", id).leaf("resourceType", type);
      xml.leaf("key", key).leaf("value", value).close("item");
      items.push_back(xml.text());
    }
  };
  for (const auto& instance : visible()) {
    add(instance.id, "instance", instance.tags);
    add(instance.spot_request, "spot-instances-request", instance.spot_tags);
    if (!lives(instance)) continue;  // what was attached to it is gone
    add(instance.network_interface, "network-interface", instance.interface_tags);
    for (const auto& volume : instance.volumes) add(volume.id, "volume", instance.volume_tags);
  }
  return page_of(params, "tagSet", items);
}

Result<std::string> Ec2Service::create_tags(const Params& params) {
  const auto ids = params.list("ResourceId");
  if (auto known = check_ids(ids); !known.ok()) return known.error();
  std::vector<std::pair<std::string, std::optional<std::string>>> tags;
  for (const auto& tag : params.structs("Tag")) {
    if (auto sound = check_tag(tag.text("Key"), tag.text("Value")); !sound.ok()) return sound.error();
    tags.emplace_back(tag.text("Key"), tag.text("Value"));
  }
  for (const auto& instance : visible()) {
    if (!instance.shows_tags || std::ranges::find(ids, instance.id) == ids.end()) continue;
    for (const auto& [key, value] : tags) {
      if (auto fits = check_metadata_tag(key); !fits.ok()) return fits.error();
    }
  }
  if (auto permitted = permit("CreateTags", params); !permitted.ok()) return permitted.error();
  if (auto tagged = fleet_.tag(ids, tags); !tagged.ok()) return tagged.error();
  return std::string("<return>true</return>");
}

Result<std::string> Ec2Service::delete_tags(const Params& params) {
  const auto ids = params.list("ResourceId");
  if (auto known = check_ids(ids); !known.ok()) return known.error();
  std::vector<std::pair<std::string, std::optional<std::string>>> tags;
  for (const auto& tag : params.structs("Tag")) tags.emplace_back(tag.text("Key"), std::nullopt);
  if (auto permitted = permit("DeleteTags", params); !permitted.ok()) return permitted.error();
  if (auto removed = fleet_.tag(ids, tags); !removed.ok()) return removed.error();
  return std::string("<return>true</return>");
}

}  // namespace drover::localcloud
