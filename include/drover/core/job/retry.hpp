#pragma once

#include <string>

#include "drover/base/clock.hpp"
#include "drover/core/job/job.hpp"

namespace drover::core {

// What follows the end of an attempt.
struct Disposition {
  JobState state = JobState::queued;  // queued, held, succeeded, failed, cancelled
  Counters counters;
  Seconds delay{0};      // for queued: not before this long
  std::string reason;    // for failed and held: shown to people
  bool charged = false;  // this end
  int charges = 0;       // so far, this one included
  Seconds alone{0};      // a suspect: it gets a worker to itself for so long; 0: it is none
  // Ends in a row, this one included, that are `returned` because the worker's heartbeats left the attempt
  // out.
  int returns = 0;
  bool as_it_was = false;  // reason, exit code, signal and start time of the job stay those of before
};

struct EndedAttempt {
  Outcome outcome = Outcome::succeeded;
  JobState wanted = JobState::running;  // of its lease
  Counters counters;                    // before this end
  RetryRules retry;
  int infra_workers = 0;   // distinct workers that an infra end of this job was charged on, this one included
  std::string reason;      // of the end
  bool shared = false;     // of infra: other attempts broke with it
  bool with_many = false;  // of infra: more machines broke at once than is credible, see credible_loss
  SteadyTime::duration ran{0};
  Seconds alone{0};  // as a suspect it had the worker to itself for so long
  int charges = 0;   // before this end
  int returns = 0;   // likewise
  // For `returned`: the claim's answer could not be written; false: heartbeats left the attempt out.
  bool undelivered = false;
};

// Poison: infra ends charged on three distinct workers, or five in all.
inline constexpr int kPoisonWorkers = 3;
inline constexpr int kPoisonEnds = 5;
// An infra end that comes with the loss of many machines makes no suspect of a job with fewer infra ends than
// this. Without the bound, jobs that each destroy their machine would pass for a mass loss for ever.
inline constexpr int kForgivenEnds = 3;
// After an infra end the job waits: a second, doubled with each such end.
inline constexpr Seconds kInfraBackoff{1};
inline constexpr Seconds kInfraBackoffMax{300};

[[nodiscard]] Disposition decide_end(const EndedAttempt& end);

// This many times in a row an attempt that its living worker never listed is `returned`, as if it had not
// been. More often it is infra, since a job that kills its runner before the runner reports looks the same.
inline constexpr int kFreeReturns = 2;
// How an attempt ends that its living worker never listed, after `returns` such ends in a row.
[[nodiscard]] Outcome outcome_of_unlisted(int returns);

}  // namespace drover::core
