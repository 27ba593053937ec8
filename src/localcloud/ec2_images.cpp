#include <algorithm>
#include <array>

#include "ec2_paging.hpp"
#include "ec2_parameters.hpp"
#include "ec2_service.hpp"

// Images, and the volumes that a launch makes of them.
namespace drover::localcloud {

namespace {

constexpr int kRootGib = 8;

}  // namespace

// Any id of the right shape is an image, so that tests need not make one. What follows "ami-" says which
// kind.
Result<ImageFigures> image_of(const std::string& id) {
  constexpr std::string_view kTaken = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  if (!id.starts_with("ami-") || id.size() < 5 || id.find_first_not_of(kTaken) != std::string::npos) {
    return ec2_error("InvalidAMIID.Malformed", "Invalid id: \"" + id + "\" (expecting \"ami-...\")");
  }
  if (id.starts_with("ami-missing")) {
    return ec2_error("InvalidAMIID.NotFound", "The image id '[" + id + "]' does not exist");
  }
  return ImageFigures{id.starts_with("ami-sda1") ? "/dev/sda1" : "/dev/xvda", kRootGib};
}

Result<std::vector<Volume>> volumes_of(const Params& params, const ImageFigures& image) {
  std::vector<Volume> out{{"", image.root_device, image.root_gib}};
  std::vector<std::string> devices;
  for (const auto& mapping : params.structs("BlockDeviceMapping")) {
    const auto device = mapping.text("DeviceName");
    if (device.empty()) return missing_parameter("BlockDeviceMapping.DeviceName");
    if (std::ranges::find(devices, device) != devices.end()) {
      return ec2_error("InvalidBlockDeviceMapping",
                       "The device '" + device + "' is used in more than one mapping");
    }
    devices.push_back(device);
    if (mapping.has("NoDevice") || mapping.has("VirtualName")) continue;
    const auto size = mapping.number("Ebs.VolumeSize");
    const bool is_root = device == image.root_device;
    if (is_root && size != 0 && size < image.root_gib) {
      return ec2_error("InvalidBlockDeviceMapping",
                       "Volume of size " + std::to_string(size) +
                           "GB is smaller than the image's snapshot, expect size >= " +
                           std::to_string(image.root_gib) + "GB");
    }
    if (!is_root && size == 0 && !mapping.has("Ebs.SnapshotId")) {
      return ec2_error("MissingParameter", "The request must contain the parameter size or snapshotId");
    }
    if (is_root && size != 0) out.front().size_gib = size;
    if (!is_root) out.push_back({"", device, size == 0 ? image.root_gib : size});
  }
  return out;
}

Result<std::string> Ec2Service::describe_images(const Params& params) {
  constexpr std::array<std::string_view, 4> kNames{"image-id", "name", "state", "root-device-name"};
  const auto filters = parse_filters(params, kNames);
  if (!filters.ok()) return filters.error();
  auto ids = params.list("ImageId");
  if (ids.empty()) ids = {"ami-00000000", "ami-sda1"};
  std::vector<std::string> items;
  for (const auto& id : ids) {
    const auto image = image_of(id);
    if (!image.ok()) return image.error();
    if (!passes(*filters, "image-id", id) || !passes(*filters, "name", "this machine") ||
        !passes(*filters, "state", "available") ||
        !passes(*filters, "root-device-name", image->root_device)) {
      continue;
    }
    Xml xml;
    xml.open("item").leaf("imageId", id).leaf("imageState", "available").leaf("name", "this machine");
    xml.leaf("architecture", "x86_64").leaf("imageType", "machine").leaf("rootDeviceType", "ebs");
    xml.leaf("rootDeviceName", image->root_device).open("blockDeviceMapping").open("item");
    xml.leaf("deviceName", image->root_device).open("ebs");
    xml.leaf("volumeSize", std::to_string(image->root_gib)).leaf("deleteOnTermination", "true");
    xml.close("ebs").close("item").close("blockDeviceMapping").close("item");
    items.push_back(xml.text());
  }
  return page_of(params, "imagesSet", items);
}

}  // namespace drover::localcloud
