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
  refused_claim_loses_job,        // a claim that the store has no room for takes the job from the ready ones
  batch_before_remembered,        // a batch is made before the one in flight is remembered
  heartbeat_renews_ending,        // a heartbeat renews an attempt whose end is with the writer
  waiting_expiry_not_asked,       // an expiry that waits is not asked again when its batch is made
  keys_before_commit,             // of a batch committed while ready keys are read nothing is noted …
  keys_lack_what_came,            // … or only what became of those that were ready before
  give_back_takes_repeat,         // an undelivered answer takes back what a repeat of it handed out
  delivery_outlives_term,         // … or does so in a later term, which counts the answers anew
  report_renews_nothing,          // a report is no sign of life of its attempt
  refusal_forgets_heartbeat,      // what was heard while an end was in flight is forgotten when it is refused
  put_off_overtaken,              // a change that was put off lets a later one of its job pass
};

// What must hold in every world and at every step; nullptr in `broken` while it does.
inline constexpr const char* kOnlyItsOwn = "a report ends only the attempt that it is about";
inline constexpr const char* kNoLeaseAfterCordon = "a worker that was cordoned holds no lease";
inline constexpr const char* kPausedIsPaused = "while paused nothing is claimed and nothing is launched";
inline constexpr const char* kSilenceAlone = "an attempt expires only when its worker was silent for a term";
inline constexpr const char* kRenewalHolds = "an attempt that was renewed does not expire";
inline constexpr const char* kReadyTrue = "what memory holds as ready can be claimed";
inline constexpr const char* kGivenStays = "an attempt that reached its worker is not given back";
inline constexpr const char* kPutOffFirst = "a change that was put off goes before later ones of its job";
inline constexpr const char* kCountersTrue =
    "the counters say what happened, and each attempt is counted once";
inline constexpr const char* kCancelKept = "an acknowledged cancel is never lost";
inline constexpr const char* kFinalIsFinal = "a final job is opened by a user's requeue alone";
inline constexpr const char* kWithinMax = "there are never more machines than the pool's max";
inline constexpr const char* kStatesAgree = "only a queued job has a lease, of a worker that lives";

// What the store was asked for, and what came of it.
struct Asked {
  enum class What : Byte { claim, end, end_again, act, move, enlist, launch, gone, pause } what = What::claim;
  int job = 0, machine = 0;
  Change end = {};                                  // of end and end_again
  core::JobAction action = core::JobAction::hold;   // of act
  core::WorkerMove move = core::WorkerMove::drain;  // of move
  bool paused = false;                              // of pause
  bool done = false;                                // what the function of that name returns
};
// Is told of each change that the store was asked for, after it was carried out or refused, so that the store
// can be judged by another.
class Witness {
 public:
  virtual void saw(const Asked& asked, const World& after) = 0;

 protected:
  ~Witness() = default;
};

// The store: the changes of ports/changes.hpp that matter to it, each as small as can be, with what the
// leader's memory takes over from them. What an action makes of a job is asked of the core here; what an end
// does, was asked when the end was made.
class Store {
 public:
  // `witness`: nullptr in the search.
  Store(World& world, Bug bug, const char*& broken, Witness* witness = nullptr)
      : world_(world), bug_(bug), broken_(broken), witness_(witness) {}

  // ClaimJob. False: refused.
  bool claim(int job, int machine);
  // EndAttempt. False: refused as stale.
  bool end(const Change& end);
  // The same once more, of an attempt that is not open. False: refused, it is no repeat.
  bool end_again(const Change& end);
  // ActOnJob. False: refused, or nothing to do.
  bool act(int job, core::JobAction action);
  // MoveWorker. False: refused.
  bool move(int machine, core::WorkerMove move);
  // RegisterWorker, of a machine that has not registered. False: refused.
  bool enlist(int machine);
  // InsertLaunch, and the cloud's answer to it. False: not admitted.
  bool launch(int machine);
  // MoveWorker, of a machine that is no more and holds no lease.
  void gone(int machine);
  // SetPaused.
  void pause(bool paused);
  // What is ready, in the form in which memory holds it.
  [[nodiscard]] Ready ready() const;

  void broke(const char* what) {
    if (broken_ == nullptr) broken_ = what;
  }

 private:
  bool told(bool done, Asked asked);
  bool do_claim(int job, int machine);
  bool do_end(const Change& end);
  bool do_act(int job, core::JobAction action);
  bool do_launch(int machine);
  void close(Job& job, const Change& end);
  void count(int job, core::Outcome outcome, core::JobState wanted, int machine);
  void become(int job, core::JobState state);
  Job& job(int index) { return world_.jobs[static_cast<std::size_t>(index)]; }
  Machine& machine(int index) { return world_.machines[static_cast<std::size_t>(index)]; }

  World& world_;
  Bug bug_;
  const char*& broken_;
  Witness* witness_;
};

// What holds of any world by itself.
[[nodiscard]] const char* contradiction(const World& world);

[[nodiscard]] std::optional<int> lease_of(const World& world, int machine);  // the job it holds

// Failures allowed of each job.
inline constexpr int kMaxAttempts = 2;

}  // namespace drover::model
