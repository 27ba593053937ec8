#include "fleet.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <system_error>

#include "drover/base/log.hpp"
#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"

#include "ec2_protocol.hpp"

namespace drover::localcloud {

namespace {

std::string hex16() {
  return fmt::format("{:016x}", random_u64());
}

// A loopback address of the instance's own: unique among some four million, and reachable.
std::string address_for(std::int64_t sequence) {
  const auto n = static_cast<std::uint64_t>(sequence);
  return fmt::format("127.{}.{}.{}", 64 + (n >> 16U) % 64, (n >> 8U) & 255U, n & 255U);
}

}  // namespace

Fleet::Fleet(const LocalCloudOptions& options, EventLoop& loop, Faults& faults)
    : options_(options), loop_(loop), faults_(faults) {}

InstancePaths Fleet::paths(const std::string& id) const {
  return {options_.data_dir + "/instances/" + id};
}

void Fleet::save(const Instance& instance) const {
  const auto written = write_file(paths(instance.id).record(), to_json(instance).dump());
  if (!written.ok()) log_error("instance {}: {}", instance.id, written.error().message);
}

std::optional<Result<std::vector<Instance>>> Fleet::earlier_launch(const LaunchSpec& spec) const {
  if (spec.client_token.empty()) return std::nullopt;
  std::vector<Instance> found;
  for (const auto& [id, entry] : entries_) {
    if (entry.instance.client_token == spec.client_token) found.push_back(entry.instance);
  }
  if (found.empty()) return std::nullopt;
  if (found.front().parameters_hash != spec.parameters_hash) {
    return ec2_error(
        "IdempotentParameterMismatch",
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).");
  }
  if (std::ranges::none_of(found, lives)) {
    return ec2_error("IdempotentInstanceTerminated",
                     "The instances launched with client token '" + spec.client_token + "' are terminated.");
  }
  std::ranges::sort(found, {}, &Instance::sequence);
  return found;
}

Instance Fleet::make_instance(const LaunchSpec& spec, const std::string& zone) {
  Instance out;
  out.sequence = next_sequence_++;
  out.id = "i-0" + hex16();
  out.launched_at = now();
  out.client_token = spec.client_token;
  out.parameters_hash = spec.parameters_hash;
  out.image = spec.image;
  out.type = spec.type;
  out.zone = zone;
  out.subnet = spec.subnet.empty() ? "subnet-0000000" + zone.substr(zone.size() - 1) : spec.subnet;
  out.private_ip = address_for(out.sequence);
  out.key_name = spec.key_name;
  out.security_groups = spec.security_groups;
  out.market = spec.market;
  if (spec.market == core::Market::spot) out.spot_request = "sir-" + hex16().substr(0, 8);
  out.max_price = spec.max_price;
  out.volumes = spec.volumes;
  for (auto& volume : out.volumes) volume.id = "vol-0" + hex16();
  out.network_interface = "eni-0" + hex16();
  out.tags = spec.tags;
  out.volume_tags = spec.volume_tags;
  out.interface_tags = spec.interface_tags;
  out.spot_tags = spec.spot_tags;
  out.shows_tags = spec.shows_tags;
  out.keeps_from_termination = spec.keeps_from_termination;
  out.keeps_from_stopping = spec.keeps_from_stopping;
  out.stops_on_shutdown = spec.stops_on_shutdown;
  out.region = options_.region;
  out.shutdown_grace = options_.shutdown_grace;
  out.environment = options_.instance_env;
  return out;
}

int Fleet::running() const {
  return static_cast<int>(std::ranges::count_if(entries_, [](const auto& item) {
    return lives(item.second.instance) && item.second.instance.state != core::InstanceState::stopped;
  }));
}

Result<std::vector<Instance>> Fleet::launch(const LaunchSpec& spec) {
  const std::lock_guard lock(mutex_);
  if (auto earlier = earlier_launch(spec)) return *std::move(earlier);
  const auto room = options_.max_instances - running();
  if (room < spec.min_count) {
    return ec2_error(
        spec.market == core::Market::spot ? "MaxSpotInstanceCountExceeded" : "InstanceLimitExceeded",
        fmt::format("You have requested more instances ({}) than your current limit of {} allows.",
                    spec.min_count + running(), options_.max_instances));
  }
  int granted = 0;
  std::string zone;
  for (const auto& candidate : spec.zones) {
    zone = candidate;
    granted = faults_.take_capacity(spec.type, zone, spec.min_count, std::min(spec.max_count, room));
    if (granted > 0) break;
  }
  if (granted == 0) {
    return ec2_error("InsufficientInstanceCapacity",
                     "We currently do not have sufficient " + spec.type +
                         " capacity in the Availability Zone you requested (" + spec.zones.front() + ").");
  }
  const auto reservation = "r-0" + hex16();
  std::vector<Instance> out;
  for (int i = 0; i < granted; ++i) {
    auto instance = make_instance(spec, zone);
    instance.reservation = reservation;
    instance.launch_index = i;
    auto& entry = entries_[instance.id];
    entry.instance = std::move(instance);
    const auto files = paths(entry.instance.id);
    std::error_code failed;
    std::filesystem::create_directories(files.directory, failed);
    std::filesystem::permissions(files.directory, kPassable, failed);
    save(entry.instance);
    boot(entry, write_file(files.user_data(), spec.user_data));
    out.push_back(entry.instance);
  }
  return out;
}

void Fleet::boot(Entry& entry, const Status& prepared) {
  const auto id = entry.instance.id;
  const auto files = paths(id);
  auto argv = options_.supervisor_argv;
  argv.push_back(files.directory);
  const auto spawned =
      prepared.ok() ? spawn({argv, std::nullopt, "/", files.log()}) : Result<pid_t>(prepared.error());
  if (spawned.ok()) entry.process = ProcessHandle::open(*spawned);
  if (entry.process == nullptr) {
    log_error("instance {}: {}", id, spawned.ok() ? "its supervisor vanished" : spawned.error().message);
    finish(entry, "Server.InternalError", "Internal error on launch");
    return;
  }
  loop_.watch(entry.process, [this, id] { on_exit(id); });
  loop_.after(options_.pending_delay, [this, id] { check_ready(id); });
}

std::vector<Instance> Fleet::list() const {
  std::vector<Instance> out;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : entries_) out.push_back(entry.instance);
  }
  std::ranges::sort(out, {}, &Instance::sequence);
  return out;
}

std::optional<Instance> Fleet::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  return at == entries_.end() ? std::nullopt : std::optional(at->second.instance);
}

Status Fleet::check_known(const std::vector<std::string>& ids) const {
  std::string missing;
  int count = 0;
  for (const auto& id : ids) {
    if (entries_.contains(id)) continue;
    missing += (missing.empty() ? "" : ", ") + id;
    ++count;
  }
  if (count == 0) return Ok{};
  return ec2_error("InvalidInstanceID.NotFound", count == 1
                                                     ? "The instance ID '" + missing + "' does not exist"
                                                     : "The instance IDs '" + missing + "' do not exist");
}

Result<Instance> Fleet::interrupt(const std::string& id, Seconds notice) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end()) return not_found("there is no instance " + id);
  auto& instance = at->second.instance;
  if (!runs(instance)) {
    return conflict("instance " + id + " is " + std::string(core::to_string(instance.state)));
  }
  instance.interrupt_at = now() + notice;
  save(instance);
  schedule_interruption(instance);
  return instance;
}

Result<Instance> Fleet::kill(const std::string& id, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end()) return not_found("there is no instance " + id);
  auto& entry = at->second;
  if (entry.process == nullptr) {
    return conflict("instance " + id + " is " + std::string(core::to_string(entry.instance.state)));
  }
  if (!runs(entry.instance)) {
    end_process(entry, SIGUSR1);
  } else {
    const bool spot = reason == "Server.SpotInstanceTermination";
    begin_end(entry, reason, spot ? "Spot instance termination" : "Killed", SIGUSR1);
  }
  return entry.instance;
}

Status Fleet::tag(const std::vector<std::string>& ids,
                  const std::vector<std::pair<std::string, std::optional<std::string>>>& tags) {
  const std::lock_guard lock(mutex_);
  if (auto known = check_known(ids); !known.ok()) return known;
  for (const auto& id : ids) {
    auto& instance = entries_.at(id).instance;
    for (const auto& [key, value] : tags) {
      std::erase_if(instance.tags, [&](const auto& tag) { return tag.first == key; });
      if (value) instance.tags.emplace_back(key, *value);
    }
    save(instance);
  }
  return Ok{};
}

Status Fleet::terminate_all(Millis wait) {
  std::unique_lock lock(mutex_);
  for (auto& [id, entry] : entries_) {
    // The reason is that of a spot interruption: the cloud ends here, and no user ended the machine.
    end(entry, "Server.SpotInstanceTermination", "The cloud is closing down");
  }
  const auto all_ended = [this] {
    return std::ranges::none_of(entries_, [](const auto& item) { return lives(item.second.instance); });
  };
  if (changed_.wait_for(lock, wait, all_ended)) return Ok{};
  return timed_out("some instances have not ended in time");
}

}  // namespace drover::localcloud
