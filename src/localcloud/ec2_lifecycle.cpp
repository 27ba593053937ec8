#include <algorithm>
#include <array>

#include "drover/base/text.hpp"

#include "ec2_parameters.hpp"
#include "ec2_service.hpp"

// TerminateInstances, StopInstances, StartInstances, ModifyInstanceAttribute.
namespace drover::localcloud {

namespace {

std::string changes_xml(const std::vector<StateChange>& changes) {
  Xml xml;
  xml.open("instancesSet");
  for (const auto& change : changes) {
    xml.open("item").leaf("instanceId", change.id);
    write_state("currentState", change.current, xml);
    write_state("previousState", change.previous, xml);
    xml.close("item");
  }
  xml.close("instancesSet");
  return xml.text();
}

// One attribute: by a parameter of its own ("DisableApiStop.Value"), or by
// Attribute and Value.
struct Attribute {
  std::string name;  // "disableApiStop"
  std::string value;
};

Result<Attribute> attribute_of(const Params& params) {
  std::vector<Attribute> given;
  if (params.has("Attribute")) given.push_back({params.text("Attribute"), params.text("Value")});
  for (const auto& [key, value] : params.all()) {
    const auto dot = key.find('.');
    if (dot == std::string::npos) continue;
    auto name = key.substr(0, dot);
    name.front() = static_cast<char>(name.front() - 'A' + 'a');
    const auto same = [&](const auto& attribute) { return attribute.name == name; };
    if (std::ranges::none_of(given, same)) given.push_back({std::move(name), value});
  }
  if (given.empty()) return ec2_error("InvalidParameterCombination", "No attributes specified.");
  if (given.size() > 1) {
    return ec2_error("InvalidParameterCombination", "Fields for multiple attribute types specified.");
  }
  return std::move(given.front());
}

Status set_attribute(const Attribute& attribute, Instance& instance) {
  const auto& [name, value] = attribute;
  const bool spot = instance.market == core::Market::spot;
  if (name == "instanceInitiatedShutdownBehavior") {
    if (value != "stop" && value != "terminate") return bad_parameter(name, value);
    if (spot)
      return ec2_error("UnsupportedOperation", "A Spot Instance always terminates when it shuts down.");
    instance.stops_on_shutdown = value == "stop";
    return Ok{};
  }
  const bool of_termination = name == "disableApiTermination";
  if (!of_termination && name != "disableApiStop") {
    return ec2_error("UnsupportedOperation", "The attribute " + name + " cannot be changed here.");
  }
  if (value != "true" && value != "false") return bad_parameter(name, value, "Expecting true or false.");
  if (of_termination && spot && value == "true") {
    return ec2_error("UnsupportedOperation", "Termination protection cannot be enabled for Spot Instances.");
  }
  (of_termination ? instance.keeps_from_termination : instance.keeps_from_stopping) = value == "true";
  return Ok{};
}

}  // namespace

Result<std::string> Ec2Service::terminate_instances(const Params& params) {
  const auto ids = params.list("InstanceId");
  if (auto known = check_ids(ids); !known.ok()) return known.error();
  if (auto permitted = permit("TerminateInstances", params); !permitted.ok()) return permitted.error();
  const auto changes = fleet_.terminate(ids);
  if (!changes.ok()) return changes.error();
  return changes_xml(*changes);
}

Result<std::string> Ec2Service::stop_instances(const Params& params) {
  const auto ids = params.list("InstanceId");
  if (auto known = check_ids(ids); !known.ok()) return known.error();
  if (params.is_true("Hibernate")) {
    return ec2_error("UnsupportedHibernationConfiguration",
                     "The instances are not configured for hibernation.");
  }
  if (auto permitted = permit("StopInstances", params); !permitted.ok()) return permitted.error();
  const auto changes = fleet_.stop(ids);
  if (!changes.ok()) return changes.error();
  return changes_xml(*changes);
}

Result<std::string> Ec2Service::start_instances(const Params& params) {
  const auto ids = params.list("InstanceId");
  if (auto known = check_ids(ids); !known.ok()) return known.error();
  if (auto permitted = permit("StartInstances", params); !permitted.ok()) return permitted.error();
  const auto changes = fleet_.start(ids);
  if (!changes.ok()) return changes.error();
  return changes_xml(*changes);
}

Result<std::string> Ec2Service::modify_instance(const Params& params) {
  const auto id = params.text("InstanceId");
  if (auto known = check_ids({id}); !known.ok()) return known.error();
  const auto attribute = attribute_of(params);
  if (!attribute.ok()) return attribute.error();
  if (auto permitted = permit("ModifyInstanceAttribute", params); !permitted.ok()) return permitted.error();
  const auto changed =
      fleet_.modify(id, [&](Instance& instance) { return set_attribute(*attribute, instance); });
  if (!changed.ok()) return changed.error();
  return std::string("<return>true</return>");
}

}  // namespace drover::localcloud
