#include "faults.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace drover::localcloud {

namespace {

// "*" holds for every action, type or zone that has no entry of its own.
constexpr const char* kAny = "*";

bool use_one(std::map<std::string, std::int64_t>& armed, const std::string& action) {
  auto at = armed.find(action);
  if (at == armed.end()) at = armed.find(kAny);
  if (at == armed.end()) return false;
  if (--at->second <= 0) armed.erase(at);
  return true;
}

void arm(std::map<std::string, std::int64_t>& armed, const std::string& action, std::int64_t count) {
  if (count <= 0) {
    armed.erase(action);
  } else {
    armed[action] = count;
  }
}

Json counts_to_json(const std::map<std::string, std::int64_t>& counts) {
  auto out = Json::object();
  for (const auto& [name, count] : counts) out.set(name, count);
  return out;
}

}  // namespace

// All or nothing: what exceeds the bucket is never granted.
bool Throttle::take_from(const std::string& name, double size, double per_second, double count,
                         SteadyTime now) {
  aws::TokenBucket& bucket = buckets_.try_emplace(name, size, per_second).first->second;
  return count <= size && bucket.take(count, now, Millis{0}).has_value();
}

// Figures: EC2 API developer guide, "Request throttling".
bool Throttle::take(const std::string& action, bool unfiltered, int instances, SteadyTime now) {
  if (action == "RunInstances") {
    return take_from("run", 5, 2, 1, now) && take_from("run instances", 1000, 2, instances, now);
  }
  if (action == "TerminateInstances") {
    return take_from("terminate", 100, 5, 1, now) &&
           take_from("terminate instances", 1000, 20, instances, now);
  }
  if (action == "StartInstances") {
    return take_from("start", 5, 2, 1, now) && take_from("start instances", 1000, 2, instances, now);
  }
  if (action == "StopInstances") {
    return take_from("write", 50, 5, 1, now) && take_from("terminate instances", 1000, 20, instances, now);
  }
  if (action == "CreateTags") return take_from("tags", 100, 10, 1, now);
  constexpr std::array<std::string_view, 3> kHeavy{"DescribeInstances", "DescribeInstanceStatus",
                                                   "DescribeSpotInstanceRequests"};
  if (unfiltered && std::ranges::find(kHeavy, action) != kHeavy.end()) {
    return take_from("unfiltered", 50, 10, 1, now);
  }
  if (action.starts_with("Describe") || action.starts_with("Get")) return take_from("read", 100, 20, 1, now);
  return take_from("write", 50, 5, 1, now);
}

CallFaults Faults::on_call(const std::string& action, bool unfiltered, int instances) {
  const std::lock_guard lock(mutex_);
  ++calls_[action];
  CallFaults out;
  auto delay = delay_.find(action);
  if (delay == delay_.end()) delay = delay_.find(kAny);
  if (delay != delay_.end()) out.delay = delay->second;
  if (use_one(refuse_, action) ||
      (throttle_on_ && !throttle_.take(action, unfiltered, instances, std::chrono::steady_clock::now()))) {
    out.throttled = true;
    return out;
  }
  auto error = errors_.find(action);
  if (error == errors_.end()) error = errors_.find(kAny);
  if (error != errors_.end()) {
    out.error = error->second.error;
    if (--error->second.count <= 0) errors_.erase(error);
    return out;
  }
  out.lose_reply = use_one(lose_, action);
  out.truncate = use_one(truncate_, action);
  return out;
}

std::map<std::string, std::int64_t> Faults::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

int Faults::take_capacity(const std::string& type, const std::string& zone, int least, int wanted) {
  const std::lock_guard lock(mutex_);
  const std::pair<std::string, std::string> keys[] = {{type, zone}, {type, kAny}, {kAny, zone}, {kAny, kAny}};
  for (const auto& key : keys) {
    const auto at = capacity_.find(key);
    if (at == capacity_.end()) continue;
    const auto granted = std::min<std::int64_t>(at->second, wanted);
    if (granted < least) return 0;
    at->second -= granted;
    return static_cast<int>(granted);
  }
  return wanted;
}

Seconds Faults::clock_offset() const {
  const std::lock_guard lock(mutex_);
  return clock_offset_;
}

Millis Faults::visibility_delay() const {
  const std::lock_guard lock(mutex_);
  return visibility_delay_;
}

void Faults::set_capacity(const std::string& type, const std::string& zone,
                          std::optional<std::int64_t> available) {
  const std::lock_guard lock(mutex_);
  if (available) {
    capacity_[{type, zone}] = *available;
  } else {
    capacity_.erase({type, zone});
  }
}

void Faults::set_throttle(const std::string& action, std::int64_t requests) {
  const std::lock_guard lock(mutex_);
  arm(refuse_, action, requests);
}

void Faults::set_lose_reply(const std::string& action, std::int64_t count) {
  const std::lock_guard lock(mutex_);
  arm(lose_, action, count);
}

void Faults::set_delay(const std::string& action, Millis delay) {
  const std::lock_guard lock(mutex_);
  if (delay.count() <= 0) {
    delay_.erase(action);
  } else {
    delay_[action] = delay;
  }
}

void Faults::set_truncate(const std::string& action, std::int64_t count) {
  const std::lock_guard lock(mutex_);
  arm(truncate_, action, count);
}

void Faults::set_error(const std::string& action, Error error, std::int64_t count) {
  const std::lock_guard lock(mutex_);
  if (count <= 0) {
    errors_.erase(action);
  } else {
    errors_[action] = {std::move(error), count};
  }
}

void Faults::set_denied(std::vector<std::string> actions) {
  const std::lock_guard lock(mutex_);
  denied_ = std::move(actions);
}

bool Faults::denies(const std::string& action) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(denied_, action) != denied_.end();
}

void Faults::set_clock_offset(Seconds offset) {
  const std::lock_guard lock(mutex_);
  clock_offset_ = offset;
}

void Faults::set_visibility_delay(Millis delay) {
  const std::lock_guard lock(mutex_);
  visibility_delay_ = delay;
}

void Faults::clear() {
  const std::lock_guard lock(mutex_);
  capacity_.clear();
  refuse_.clear();
  lose_.clear();
  truncate_.clear();
  delay_.clear();
  errors_.clear();
  denied_.clear();
  clock_offset_ = Seconds(0);
  visibility_delay_ = Millis(0);
}

Json Faults::describe() const {
  const std::lock_guard lock(mutex_);
  auto capacity = Json::array();
  for (const auto& [key, left] : capacity_) {
    capacity.push(Json::object().set("type", key.first).set("zone", key.second).set("available", left));
  }
  auto delays = Json::object();
  for (const auto& [action, delay] : delay_) delays.set(action, std::int64_t{delay.count()});
  auto errors = Json::object();
  for (const auto& [action, planned] : errors_) {
    errors.set(action, Json::object().set("code", planned.error.detail).set("count", planned.count));
  }
  auto denied = Json::array();
  for (const auto& action : denied_) denied.push(action);
  return Json::object()
      .set("capacity", capacity)
      .set("denied", denied)
      .set("throttle", counts_to_json(refuse_))
      .set("lose_reply", counts_to_json(lose_))
      .set("truncate_page", counts_to_json(truncate_))
      .set("delay_ms", delays)
      .set("errors", errors)
      .set("clock_offset_s", std::int64_t{clock_offset_.count()})
      .set("visibility_delay_ms", std::int64_t{visibility_delay_.count()});
}

}  // namespace drover::localcloud
