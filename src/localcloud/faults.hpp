#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drover/aws/rate_budget.hpp"
#include "drover/base/clock.hpp"
#include "drover/base/json.hpp"
#include "drover/base/result.hpp"

namespace drover::localcloud {

// EC2's buckets per account and region. Not thread-safe.
class Throttle {
 public:
  // False: the request is over the limit. `unfiltered`: a listing with neither filter, ids nor page size
  // draws on a smaller bucket.
  bool take(const std::string& action, bool unfiltered, int instances, SteadyTime now);

 private:
  bool take_from(const std::string& name, double size, double per_second, double count, SteadyTime now);
  std::map<std::string, aws::TokenBucket> buckets_;
};

// The faults that apply to one call.
struct CallFaults {
  Millis delay{0};
  bool throttled = false;
  bool lose_reply = false;
  bool truncate = false;
  std::optional<Error> error;  // instead of executing
};

// The faults asked for over the control interface, and the count of calls. Thread-safe.
class Faults {
 public:
  explicit Faults(bool throttle) : throttle_on_(throttle) {}

  // Counts the call and uses up what is armed for it. Call once per authenticated request.
  CallFaults on_call(const std::string& action, bool unfiltered, int instances);
  [[nodiscard]] std::map<std::string, std::int64_t> calls() const;

  // How many of `wanted` may be launched, at least `least`, or 0; takes them.
  int take_capacity(const std::string& type, const std::string& zone, int least, int wanted);
  [[nodiscard]] Seconds clock_offset() const;
  // Younger instances are not listed yet.
  [[nodiscard]] Millis visibility_delay() const;

  void set_capacity(const std::string& type, const std::string& zone, std::optional<std::int64_t> available);
  void set_throttle(const std::string& action, std::int64_t requests);
  void set_lose_reply(const std::string& action, std::int64_t count);
  void set_delay(const std::string& action, Millis delay);
  void set_truncate(const std::string& action, std::int64_t count);
  void set_error(const std::string& action, Error error, std::int64_t count);
  // Replaces the list of actions that the policy denies ("ec2:RunInstances").
  void set_denied(std::vector<std::string> actions);
  [[nodiscard]] bool denies(const std::string& action) const;
  void set_clock_offset(Seconds offset);
  void set_visibility_delay(Millis delay);
  void clear();
  [[nodiscard]] Json describe() const;

 private:
  struct PlannedError {
    Error error;
    std::int64_t count = 0;
  };
  mutable std::mutex mutex_;
  bool throttle_on_;
  Throttle throttle_;
  std::map<std::string, std::int64_t> calls_;
  std::map<std::pair<std::string, std::string>, std::int64_t> capacity_;  // type, zone → left
  std::map<std::string, std::int64_t> refuse_;                            // action → requests left
  std::map<std::string, std::int64_t> lose_;
  std::map<std::string, std::int64_t> truncate_;
  std::map<std::string, Millis> delay_;
  std::map<std::string, PlannedError> errors_;
  std::vector<std::string> denied_;
  Seconds clock_offset_{0};
  Millis visibility_delay_{0};
};

}  // namespace drover::localcloud
