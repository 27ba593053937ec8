#include <algorithm>
#include <csignal>
#include <filesystem>
#include <system_error>

#include <sys/wait.h>

#include "drover/base/log.hpp"

#include "fleet.hpp"
#include "fleet_files.hpp"

// How instances change by themselves: the loop's tasks, and what is found when the local cloud starts.
namespace drover::localcloud {

namespace {

using core::InstanceState;

constexpr Millis kReadyRetry{10};
// When a supervisor has not ended this long after the shutdown's own grace, it is killed.
constexpr Millis kOverdue{10'000};

// Whether the end of its processes, for that reason, leaves the instance to be started again.
bool stops_with(const Instance& instance, const std::string& code) {
  if (instance.state == InstanceState::stopping) return true;
  return runs(instance) && instance.stops_on_shutdown && code == "Client.InstanceInitiatedShutdown";
}

}  // namespace

void Fleet::begin_end(Entry& entry, const std::string& code, const std::string& message, int signal) {
  entry.instance.state = InstanceState::shutting_down;
  entry.instance.reason_code = code;
  entry.instance.reason_message = code + ": " + message;
  save(entry.instance);
  end_process(entry, signal);
}

void Fleet::end(Entry& entry, const std::string& code, const std::string& message) {
  if (is_ending(entry.instance)) return;
  if (entry.instance.state != InstanceState::stopped) return begin_end(entry, code, message, SIGTERM);
  // No process of the instance runs.
  finish(entry, code, message);
  std::error_code ignored;
  std::filesystem::remove_all(paths(entry.instance.id).root(), ignored);
}

void Fleet::end_process(const Entry& entry, int signal) {
  if (entry.process == nullptr) return;
  entry.process->signal(signal);
  loop_.after(options_.shutdown_grace + kOverdue,
              [this, id = entry.instance.id, process = entry.process] { on_overdue(id, process); });
}

void Fleet::become_stopped(Entry& entry, const std::string& code, const std::string& message) {
  auto& instance = entry.instance;
  instance.state = InstanceState::stopped;
  if (instance.reason_code.empty()) {
    instance.reason_code = code;
    instance.reason_message = code + ": " + message;
  }
  entry.process = nullptr;
  save(instance);
  changed_.notify_all();
}

void Fleet::finish(Entry& entry, const std::string& code, const std::string& message) {
  auto& instance = entry.instance;
  instance.state = InstanceState::terminated;
  instance.terminated_at = now();
  if (instance.reason_code.empty()) {
    instance.reason_code = code;
    instance.reason_message = code + ": " + message;
  }
  entry.process = nullptr;
  save(instance);
  schedule_forget(instance);
  changed_.notify_all();
}

void Fleet::check_ready(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end() || at->second.instance.state != InstanceState::pending) return;
  if (!supervisor_of(paths(id))) {
    loop_.after(kReadyRetry, [this, id] { check_ready(id); });
    return;
  }
  at->second.instance.state = InstanceState::running;
  save(at->second.instance);
}

void Fleet::on_exit(const std::string& id) {
  std::shared_ptr<const ProcessHandle> process;
  {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(id);
    if (at == entries_.end() || at->second.process == nullptr) return;
    process = at->second.process;
  }
  // The process is not this one's child when an earlier local cloud started it. Then this fails, which does
  // not matter.
  (void)waitpid(process->pid(), nullptr, WNOHANG);
  const auto files = paths(id);
  // Without an exit file the supervisor died before its descendants did.
  if (!std::filesystem::exists(files.exit())) kill_marked(id);
  const auto [code, message] = end_reason(files);
  if (stop_if_meant(id, code, message)) return;
  std::error_code ignored;
  std::filesystem::remove_all(files.root(), ignored);  // the volume goes with the instance
  const std::lock_guard lock(mutex_);
  if (const auto at = entries_.find(id); at != entries_.end()) finish(at->second, code, message);
}

// False when the end of its processes is the end of the instance.
bool Fleet::stop_if_meant(const std::string& id, const std::string& code, const std::string& message) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end()) return false;
  if (!stops_with(at->second.instance, code)) return false;
  become_stopped(at->second, code, message);
  return true;
}

void Fleet::on_deadline(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end() || !runs(at->second.instance) || !at->second.instance.interrupt_at) return;
  // A later notice may have moved the time.
  if (*at->second.instance.interrupt_at > now()) return schedule_interruption(at->second.instance);
  begin_end(at->second, "Server.SpotInstanceTermination", "Spot instance termination", SIGUSR1);
}

void Fleet::on_overdue(const std::string& id, const std::shared_ptr<const ProcessHandle>& process) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(id);
  // If the process is another one, the instance was started again meanwhile.
  if (at == entries_.end() || at->second.process != process) return;
  log_warn("instance {}: its supervisor does not end, killing it", id);
  at->second.process->signal(SIGKILL);
}

void Fleet::schedule_interruption(const Instance& instance) {
  const auto wait = time_until(*instance.interrupt_at, now());
  loop_.after(std::chrono::ceil<Millis>(wait), [this, id = instance.id] { on_deadline(id); });
}

void Fleet::schedule_forget(const Instance& instance) {
  const WallTime due = instance.terminated_at.value_or(now()) + options_.terminated_retention;
  loop_.after(std::chrono::ceil<Millis>(time_until(due, now())),
              [this, id = instance.id, due] { forget(id, due); });
}

void Fleet::forget(const std::string& id, WallTime due) {
  {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(id);
    if (at == entries_.end()) return;
    if (due > now())
      return schedule_forget(at->second.instance);  // one wait does not reach further than time_until
    entries_.erase(at);
  }
  std::error_code ignored;
  std::filesystem::remove_all(paths(id).directory, ignored);
}

Status Fleet::open() {
  std::error_code failed;
  const std::filesystem::path folder = options_.data_dir + "/instances";
  std::filesystem::create_directories(folder, failed);
  if (failed) return invalid("data_dir", "cannot make " + folder.string() + ": " + failed.message());
  std::filesystem::permissions(folder, kPassable, failed);
  const std::lock_guard lock(mutex_);
  for (const auto& item : std::filesystem::directory_iterator(folder, failed)) {
    auto instance = load_instance(InstancePaths{item.path().string()}.record());
    if (!instance.ok() || instance->id != item.path().filename()) {
      log_warn("{} holds no instance's record; left alone", item.path().string());
      continue;
    }
    take_up(*std::move(instance));
  }
  if (failed) return invalid("data_dir", "cannot read " + folder.string() + ": " + failed.message());
  return Ok{};
}

void Fleet::take_up(Instance instance) {
  const auto id = instance.id;
  const auto files = paths(id);
  next_sequence_ = std::max(next_sequence_, instance.sequence + 1);
  auto& entry = entries_[id];
  entry.instance = std::move(instance);
  if (!lives(entry.instance)) return schedule_forget(entry.instance);
  if (entry.instance.state == InstanceState::stopped) return;
  entry.process = open_supervisor(files);
  if (entry.process == nullptr) {
    kill_marked(id);
    const auto [code, message] = end_reason(files);
    if (stops_with(entry.instance, code)) {
      become_stopped(entry, code, message);
    } else {
      finish(entry, code, message);
    }
    // A supervisor that was just being started may not have seen the new record: see Supervisor::run.
    if (const auto late = open_supervisor(files)) late->signal(SIGUSR1);
    return;
  }
  loop_.watch(entry.process, [this, id] { on_exit(id); });
  if (entry.instance.state == InstanceState::pending) {
    loop_.after(options_.pending_delay, [this, id] { check_ready(id); });
  }
  if (!runs(entry.instance)) {
    end_process(entry, SIGTERM);
  } else if (entry.instance.interrupt_at) {
    schedule_interruption(entry.instance);
  }
}

}  // namespace drover::localcloud
