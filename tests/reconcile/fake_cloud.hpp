#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/ports/cloud.hpp"

namespace drover::reconcile::testing {

// A cloud in memory, with the faults that real ones have.
class FakeCloud final : public ports::Cloud {
 public:
  explicit FakeCloud(const Clock& clock) : clock_(clock) {}
  core::CloudResult<std::vector<core::Instance>> run_instances(const core::LaunchRequest& request) override;
  core::CloudResult<std::vector<core::Instance>> list_by_tag(const std::string& key,
                                                             const std::string& value) override;
  core::CloudResult<std::vector<core::Instance>> list_by_id(std::span<const std::string> ids) override;
  core::CloudStatus terminate(std::span<const std::string> ids) override;

  // Faults and wishes.
  std::deque<core::CloudError> refuse_launches;          // one a call, before anything happens
  std::map<std::string, core::CloudError> refuse_types;  // by instance type, always
  std::optional<int> gives;                              // at most so many of a launch
  bool lose_replies = false;                             // launches happen, their answers do not come
  std::optional<core::CloudError> refuse_lists;
  std::set<std::string> hidden;   // from the listing by tag
  std::set<std::string> unknown;  // and by id
  std::set<std::string> protect;  // from termination

  core::Instance& add(const std::string& id, core::InstanceState state, const std::string& deployment);
  void end(const std::string& id, const std::string& reason);
  [[nodiscard]] int alive() const;

  std::vector<core::LaunchRequest> launches;           // as they came in
  std::vector<std::vector<std::string>> terminations;  // likewise
  int lists = 0;
  int look_ups = 0;
  std::map<std::string, core::Instance> instances;

 private:
  const Clock& clock_;
  int next_ = 1;
};

}  // namespace drover::reconcile::testing
