#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "drover/localcloud/local_cloud.hpp"

#include "event_loop.hpp"
#include "faults.hpp"
#include "instance.hpp"
#include "process.hpp"

namespace drover::localcloud {

inline WallTime now() {
  return std::chrono::floor<Micros>(std::chrono::system_clock::now());
}

// What RunInstances asks for, checked.
struct LaunchSpec {
  int min_count = 1;
  int max_count = 1;
  std::string client_token;
  std::string parameters_hash;
  std::string image;
  std::string type;
  std::vector<std::string> zones;  // to be tried in order, at least one
  std::string subnet;
  std::string key_name;
  std::vector<std::string> security_groups;
  core::Market market = core::Market::on_demand;
  std::string max_price;
  std::string user_data;        // raw
  std::vector<Volume> volumes;  // without ids
  Tags tags;
  Tags volume_tags;
  Tags interface_tags;
  Tags spot_tags;
  bool shows_tags = false;
  bool keeps_from_termination = false;
  bool keeps_from_stopping = false;
  bool stops_on_shutdown = false;
};

struct StateChange {
  std::string id;
  core::InstanceState previous = core::InstanceState::unknown;
  core::InstanceState current = core::InstanceState::unknown;
};

// The instances: the table, its files, and the supervisors. Errors carry an EC2 code in `detail`.
// Thread-safe.
class Fleet {
 public:
  Fleet(const LocalCloudOptions& options, EventLoop& loop, Faults& faults);

  // Takes over the instances that the data directory holds.
  Status open();
  // One reservation's instances. A repeat of a client token answers those of the first call.
  Result<std::vector<Instance>> launch(const LaunchSpec& spec);
  // In the order of launch.
  [[nodiscard]] std::vector<Instance> list() const;
  [[nodiscard]] std::optional<Instance> find(const std::string& id) const;
  // A protected instance keeps all instances of its zone that the call names from being terminated.
  Result<std::vector<StateChange>> terminate(const std::vector<std::string>& ids);
  // All of them, or none.
  Result<std::vector<StateChange>> stop(const std::vector<std::string>& ids);
  Result<std::vector<StateChange>> start(const std::vector<std::string>& ids);
  // Changes the record of an instance that is not terminated; `change` may refuse.
  Status modify(const std::string& id, const std::function<Status(Instance&)>& change);
  // Gives the notice now, and ends the instance suddenly when its time is over. not_found, or conflict when
  // the instance does not run.
  Result<Instance> interrupt(const std::string& id, Seconds notice);
  // Ends the instance suddenly. not_found, or conflict when it is terminated.
  Result<Instance> kill(const std::string& id, const std::string& reason);
  // Sets the tags (nullopt: removes the key).
  Status tag(const std::vector<std::string>& ids,
             const std::vector<std::pair<std::string, std::optional<std::string>>>& tags);
  Status terminate_all(Millis wait);

  [[nodiscard]] InstancePaths paths(const std::string& id) const;

 private:
  struct Entry {
    Instance instance;
    std::shared_ptr<const ProcessHandle> process;
  };

  // With mutex_ held.
  [[nodiscard]] std::optional<Result<std::vector<Instance>>> earlier_launch(const LaunchSpec& spec) const;
  [[nodiscard]] int running() const;  // and not stopped
  Instance make_instance(const LaunchSpec& spec, const std::string& zone);
  void boot(Entry& entry, const Status& prepared);
  void end(Entry& entry, const std::string& code, const std::string& message);
  void become_stopped(Entry& entry, const std::string& code, const std::string& message);
  void save(const Instance& instance) const;
  void begin_end(Entry& entry, const std::string& code, const std::string& message, int signal);
  void end_process(const Entry& entry, int signal);
  void finish(Entry& entry, const std::string& code, const std::string& message);
  void take_up(Instance instance);
  Status check_known(const std::vector<std::string>& ids) const;

  void check_ready(const std::string& id);
  void on_exit(const std::string& id);
  bool stop_if_meant(const std::string& id, const std::string& code, const std::string& message);
  void on_deadline(const std::string& id);
  void on_overdue(const std::string& id, const std::shared_ptr<const ProcessHandle>& process);
  void forget(const std::string& id, WallTime due);
  void schedule_forget(const Instance& instance);
  void schedule_interruption(const Instance& instance);

  const LocalCloudOptions& options_;
  EventLoop& loop_;
  Faults& faults_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Entry> entries_;
  std::int64_t next_sequence_ = 1;
};

}  // namespace drover::localcloud
