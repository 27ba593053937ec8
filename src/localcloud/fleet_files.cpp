#include "fleet_files.hpp"

#include "drover/base/json.hpp"

namespace drover::localcloud {

namespace {

std::optional<Json> load_json(const std::string& path) {
  const auto text = read_file(path);
  if (!text.ok()) return std::nullopt;
  auto json = parse_json(*text);
  return json.ok() ? std::optional(*std::move(json)) : std::nullopt;
}

}  // namespace

std::optional<ProcessMark> supervisor_of(const InstancePaths& paths) {
  const auto json = load_json(paths.supervisor());
  return json ? mark_from_json(*json) : std::nullopt;
}

int imds_port_of(const InstancePaths& paths) {
  const auto json = load_json(paths.supervisor());
  const auto* port = json ? json->find("imds_port") : nullptr;
  return port == nullptr || port->if_int() == nullptr ? 0 : static_cast<int>(*port->if_int());
}

std::shared_ptr<const ProcessHandle> open_supervisor(const InstancePaths& paths) {
  const auto mark = supervisor_of(paths);
  if (!mark || !alive(*mark)) return nullptr;
  auto handle = ProcessHandle::open(mark->pid);
  // Checked again: another process may have got the pid before the handle was open.
  return alive(*mark) ? handle : nullptr;
}

std::pair<std::string, std::string> end_reason(const InstancePaths& paths) {
  const auto json = load_json(paths.exit());
  const auto* cause = json ? json->find("cause") : nullptr;
  if (cause != nullptr && cause->if_string() != nullptr && *cause->if_string() == "script") {
    return {"Client.InstanceInitiatedShutdown", "Instance initiated shutdown"};
  }
  return {"Server.InternalError", "Internal error: the machine went away"};
}

}  // namespace drover::localcloud
