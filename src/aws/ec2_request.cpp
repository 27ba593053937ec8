#include "drover/aws/ec2_request.hpp"

#include <algorithm>

#include "drover/base/text.hpp"

namespace drover::aws {
namespace {

// application/x-www-form-urlencoded, a space as '+'.
std::string form_encode(std::string_view text) {
  const std::string encoded = percent_encode(text);
  std::string out;
  for (std::size_t at = 0; at < encoded.size(); ++at) {
    if (encoded.compare(at, 3, "%20") == 0) {
      out += '+';
      at += 2;
    } else {
      out += encoded[at];
    }
  }
  return out;
}

class Form {
 public:
  explicit Form(std::string_view action) {
    add("Action", action);
    add("Version", "2016-11-15");
  }
  void add(std::string_view name, std::string_view value) {
    if (!body_.empty()) body_ += '&';
    body_ += form_encode(name);
    body_ += '=';
    body_ += form_encode(value);
  }
  void add(std::string_view name, int value) { add(name, std::to_string(value)); }
  void add_set(std::string_view name, std::string_view value) {
    if (!value.empty()) add(name, value);
  }
  // name.1, name.2, …
  void add_list(const std::string& name, std::span<const std::string> values) {
    int index = 0;
    for (const auto& value : values) add(name + '.' + std::to_string(++index), value);
  }
  std::string take() { return std::move(body_); }

 private:
  std::string body_;
};

void add_market(Form& form, const core::LaunchRequest& request) {
  if (request.market != core::Market::spot) return;
  form.add("InstanceMarketOptions.MarketType", "spot");
  form.add("InstanceMarketOptions.SpotOptions.SpotInstanceType", "one-time");
  form.add("InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "terminate");
  form.add_set("InstanceMarketOptions.SpotOptions.MaxPrice", request.max_price);
}

void add_disk(Form& form, const core::LaunchRequest& request, std::string_view root_device,
              const LaunchDefaults& defaults) {
  if (request.disk_gib <= 0) return;
  form.add("BlockDeviceMapping.1.DeviceName", root_device);
  form.add("BlockDeviceMapping.1.Ebs.VolumeSize", request.disk_gib);
  form.add("BlockDeviceMapping.1.Ebs.VolumeType", defaults.volume_type);
  form.add("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true");
}

void add_tags(Form& form, const core::LaunchRequest& request) {
  if (request.tags.empty()) return;
  std::vector<std::string_view> resources{"instance", "volume", "network-interface"};
  // EC2 refuses tags for a Spot request that the launch does not make.
  if (request.market == core::Market::spot) resources.emplace_back("spot-instances-request");
  int specification = 0;
  for (const auto resource : resources) {
    const std::string prefix = "TagSpecification." + std::to_string(++specification);
    form.add(prefix + ".ResourceType", resource);
    int index = 0;
    for (const auto& [key, value] : request.tags) {
      const std::string tag = prefix + ".Tag." + std::to_string(++index);
      form.add(tag + ".Key", key);
      form.add(tag + ".Value", value);
    }
  }
}

}  // namespace

std::string encode_run_instances(const core::LaunchRequest& request, std::string_view root_device,
                                 const LaunchDefaults& defaults) {
  Form form("RunInstances");
  form.add("ImageId", request.image);
  form.add("InstanceType", request.instance_type);
  form.add("MinCount", 1);
  form.add("MaxCount", request.count);
  form.add_set("KeyName", request.key_name);
  form.add_set("SubnetId", request.subnet);
  form.add_list("SecurityGroupId", request.security_groups);
  form.add("ClientToken", request.client_token);
  form.add_set("UserData", base64_encode(request.user_data));
  form.add("InstanceInitiatedShutdownBehavior", "terminate");
  const bool arn = request.instance_profile.starts_with("arn:");
  form.add_set(arn ? "IamInstanceProfile.Arn" : "IamInstanceProfile.Name", request.instance_profile);
  add_market(form, request);
  form.add("MetadataOptions.HttpTokens", "required");
  form.add("MetadataOptions.HttpPutResponseHopLimit", defaults.metadata_hop_limit);
  const bool readable =
      std::ranges::all_of(request.tags, [](const auto& tag) { return core::fits_metadata(tag.first); });
  if (readable) form.add("MetadataOptions.InstanceMetadataTags", "enabled");
  add_disk(form, request, root_device, defaults);
  add_tags(form, request);
  return form.take();
}

std::string encode_describe_image(std::string_view id) {
  Form form("DescribeImages");
  form.add("ImageId.1", id);
  return form.take();
}

std::string encode_describe_instances(const DescribeInstancesQuery& query) {
  Form form("DescribeInstances");
  int index = 0;
  for (const auto& filter : query.filters) {
    const std::string prefix = "Filter." + std::to_string(++index);
    form.add(prefix + ".Name", filter.name);
    form.add_list(prefix + ".Value", filter.values);
  }
  form.add_list("InstanceId", query.instance_ids);
  if (query.max_results > 0) form.add("MaxResults", query.max_results);
  form.add_set("NextToken", query.next_token);
  return form.take();
}

std::string encode_terminate_instances(std::span<const std::string> ids) {
  Form form("TerminateInstances");
  form.add_list("InstanceId", ids);
  return form.take();
}

std::string literal_filter_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '*' || c == '?' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace drover::aws
