#pragma once

#include <optional>

#include "drover/core/job/retry.hpp"
#include "drover/core/job/transitions.hpp"
#include "drover/core/worker/moves.hpp"
#include "drover/core/worker/registration.hpp"

#include "world.hpp"

namespace drover::model {

// Planted in the seams between the core, the store and the worker's door, to see that they are found.
enum class Bug {
  none,
  finish_without_token,           // a finish ends whatever attempt of its job is open
  release_without_token,          // a release does
  expiry_keeps_number,            // an expired attempt is not counted as one of the job's
  repeat_counts_again,            // a repeated report is carried out again
  takeover_gives_no_term,         // a new leader takes the leases as they were: long silent
  cordon_ignores_lease,           // a cordon does not look for leases
  end_forgets_cancel,             // an end does not look whether its lease was being cancelled
  interruption_is_failure,        // a lost machine counts as the job's own failure
  pause_misses_what_was_decided,  // what was decided before a pause is committed after it
  refused_claim_loses_job,        // a claim refused for its worker's sake takes the job from the ready ones
};

// What must hold in every world and at every step; nullptr in `broken` while it does.
inline constexpr const char* kOnlyItsOwn = "a report ends only the attempt that it is about";
inline constexpr const char* kNoLeaseAfterCordon = "a worker that was cordoned holds no lease";
inline constexpr const char* kPausedIsPaused = "while paused nothing is claimed and nothing is launched";
inline constexpr const char* kSilenceAlone = "an attempt expires only when its worker was silent for a term";
inline constexpr const char* kCountersTrue =
    "the counters say what happened, and each attempt is counted once";
inline constexpr const char* kCancelKept = "an acknowledged cancel is never lost";
inline constexpr const char* kFinalIsFinal = "a final job is opened by a user's requeue alone";
inline constexpr const char* kWithinMax = "there are never more machines than the pool's max";
inline constexpr const char* kStatesAgree = "only a queued job has a lease, of a worker that lives";

// The store: the changes of ports/changes.hpp that matter to it, each as small as can be, with what the
// leader's memory takes over from them. What an end and an action make of a job is asked of the core.
class Store {
 public:
  Store(World& world, Bug bug, const char*& broken) : world_(world), bug_(bug), broken_(broken) {}

  // ClaimJob, as the committer asks for it: whatever was decided before, memory is looked at once more.
  void claim(int job, int machine);
  // EndAttempt by a report. False: refused as stale.
  bool end(const Report& report);
  // EndAttempt by us: of the open attempt.
  void end_ours(int job, core::Outcome outcome);
  // The open attempt's term is over.
  void expire(int job);
  // ChangeJob. False: refused, or nothing to do.
  bool change(int job, core::JobAction action);
  // ChangeWorker.
  void move(int machine, core::WorkerMove move);
  // RegisterWorker, of a machine that has not registered.
  void enlist(int machine);
  // InsertLaunch, asked for like a claim, and the cloud's answer to it.
  void launch(int machine);
  // Its attempts end so, and the worker is gone.
  void lose(int machine, core::Outcome outcome);

  void broke(const char* what) {
    if (broken_ == nullptr) broken_ = what;
  }

 private:
  void close(Job& job, core::Outcome outcome);
  void count(Job& job, core::Outcome outcome, core::JobState wanted, int machine);
  Job& job(int index) { return world_.jobs[static_cast<std::size_t>(index)]; }
  Machine& machine(int index) { return world_.machines[static_cast<std::size_t>(index)]; }

  World& world_;
  Bug bug_;
  const char*& broken_;
};

// What holds of any world by itself.
[[nodiscard]] const char* contradiction(const World& world);

[[nodiscard]] std::optional<int> lease_of(const World& world, int machine);  // the job it holds

// Failures allowed of each job.
inline constexpr int kMaxAttempts = 2;

}  // namespace drover::model
