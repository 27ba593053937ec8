#pragma once

#include <string>
#include <vector>

#include "drover/base/result.hpp"

#include "ec2_filters.hpp"
#include "ec2_protocol.hpp"
#include "faults.hpp"
#include "fleet.hpp"

namespace drover::localcloud {

// The EC2 actions: parameters in, the inside of the response element out; errors carry EC2's code in
// `detail`. Thread-safe.
class Ec2Service {
 public:
  Ec2Service(const LocalCloudOptions& options, Fleet& fleet, Faults& faults)
      : options_(options), fleet_(fleet), faults_(faults) {}

  [[nodiscard]] static bool knows(const std::string& action);
  Result<std::string> call(const std::string& action, const Params& params);

 private:
  using Action = Result<std::string> (Ec2Service::*)(const Params&);
  static Action find_action(const std::string& action);

  Result<std::string> run_instances(const Params& params);
  Result<LaunchSpec> parse_launch(const Params& params) const;
  Result<std::vector<std::string>> zones_of(const Params& params) const;
  Result<std::string> zone_of_subnet(const std::string& subnet) const;

  // Whether the policy allows the call; and a call that was only to be tried ends here.
  Status permit(const std::string& action, const Params& params) const;

  Result<std::string> describe_instances(const Params& params);
  Result<std::string> terminate_instances(const Params& params);
  Result<std::string> stop_instances(const Params& params);
  Result<std::string> start_instances(const Params& params);
  Result<std::string> modify_instance(const Params& params);
  Result<std::string> describe_instance_status(const Params& params);
  Result<std::string> describe_spot_requests(const Params& params);
  Result<std::string> describe_tags(const Params& params);
  Result<std::string> create_tags(const Params& params);
  Result<std::string> delete_tags(const Params& params);
  Result<std::string> get_console_output(const Params& params);

  Result<std::string> describe_zones(const Params& params);
  Result<std::string> describe_regions(const Params& params);
  Result<std::string> describe_subnets(const Params& params);
  Result<std::string> describe_types(const Params& params);
  Result<std::string> describe_offerings(const Params& params);
  Result<std::string> describe_images(const Params& params);
  Result<std::string> get_caller_identity(const Params& params);

  // Instances as a listing shows them now.
  [[nodiscard]] std::vector<Instance> visible() const;
  // Those the call selects, by ids, filters and page; `next` is the token of the following page.
  Result<std::vector<Instance>> select(const Params& params, bool only_running, std::string& next) const;
  Status check_ids(const std::vector<std::string>& ids) const;
  [[nodiscard]] std::vector<std::string> zones() const;

  const LocalCloudOptions& options_;
  Fleet& fleet_;
  Faults& faults_;
};

// "m5.large": what DescribeInstanceTypes says of it; nullopt for what is not an instance type's name.
struct TypeFigures {
  int vcpus = 0;
  int mem_mib = 0;
  bool arm = false;
};
std::optional<TypeFigures> figures_of(const std::string& type);

// A tag that EC2 would put on a resource.
Status check_tag(const std::string& key, const std::string& value);

// A key that may stand in the metadata of an instance that shows its tags there.
Status check_metadata_tag(const std::string& key);

// What an image says of its root volume; the errors of EC2 for an id that is none or names no image.
struct ImageFigures {
  std::string root_device;
  int root_gib = 0;
};
Result<ImageFigures> image_of(const std::string& id);
// The volumes that the launch makes, the root volume first.
Result<std::vector<Volume>> volumes_of(const Params& params, const ImageFigures& image);

void write_instance(const Instance& instance, Xml& xml);
void write_state(std::string_view element, core::InstanceState state, Xml& xml);

}  // namespace drover::localcloud
