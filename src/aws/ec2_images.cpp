#include <utility>

#include "drover/aws/ec2_cloud.hpp"
#include "drover/aws/ec2_xml.hpp"

// The root device of a launch's image, which a launch needs that gives its disk a size.
namespace drover::aws {
namespace {

using core::CloudError;
using core::CloudErrorClass;
using core::CloudResult;

constexpr std::size_t kImagesKept = 1000;

CloudError undescribed(const std::string& image, const CloudError& why);

}  // namespace

CloudResult<std::string> Ec2Cloud::root_device(const std::string& image) {
  {
    const std::lock_guard lock(images_mutex_);
    if (const auto at = root_devices_.find(image); at != root_devices_.end()) return at->second;
  }
  std::vector<Image> images;
  const auto done = call(describe_rate_, encode_describe_image(image), [&](std::string_view body) {
    auto parsed = parse_describe_images(body);
    if (!parsed.ok()) return Status(parsed.error());
    images = std::move(*parsed);
    return Status(Ok{});
  });
  if (!done.ok()) return undescribed(image, done.error());
  if (images.size() != 1 || images.front().id != image) {
    return undescribed(image, {CloudErrorClass::config, "InvalidAMIID.NotFound",
                               "EC2 knows no such image for this account"});
  }
  auto& found = images.front();
  if (found.root_device.empty() || found.root_device_type == "instance-store") {
    return CloudError{CloudErrorClass::config, "NoRootVolume",
                      "the image " + image + " has no root volume, so none can have a size"};
  }
  // An image never changes its root device.
  const std::lock_guard lock(images_mutex_);
  if (root_devices_.size() >= kImagesKept) root_devices_.clear();
  root_devices_[image] = found.root_device;
  return std::move(found.root_device);
}

namespace {

CloudError undescribed(const std::string& image, const CloudError& why) {
  // Only launches that give their disk a size need the permission to describe images. As a permission error
  // the refusal would count as one of the launch itself, so it becomes a config error.
  const auto error_class =
      why.error_class == CloudErrorClass::permission ? CloudErrorClass::config : why.error_class;
  return {error_class, why.code,
          "the image " + image + " cannot be described, so its root device is not known: " + why.message};
}

}  // namespace

CloudResult<std::string> Ec2Cloud::launch_body(const core::LaunchRequest& request) {
  std::string device;
  if (request.disk_gib > 0) {
    auto found = root_device(request.image);
    if (!found.ok()) return found.error();
    device = *std::move(found);
  }
  return encode_run_instances(request, device, options_.launch);
}

}  // namespace drover::aws
