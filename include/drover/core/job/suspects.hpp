#pragma once

#include <optional>
#include <span>

#include "drover/base/clock.hpp"
#include "drover/base/ids.hpp"
#include "drover/core/job/job.hpp"
#include "drover/core/tunables.hpp"

// A machine or worker that broke under several jobs was broken by at most one of them, and nobody can tell by
// which. So none is charged; each becomes a suspect, and gets a worker to itself next. If that worker breaks
// as well, the suspect is to blame.
namespace drover::core {

// A suspect has its worker to itself for twice as long as it had run when the machine broke, within these.
inline constexpr Seconds kAloneMin{60};
inline constexpr Seconds kAloneMax{600};
[[nodiscard]] Seconds alone_time(SteadyTime::duration ran);

// How many machines of a fleet may be lost or fall silent at once, each for a reason of its own. When more
// do, the reason is one that they have in common (the network, the cloud, this daemon), and neither machines
// nor jobs are blamed.
[[nodiscard]] double credible_loss(int fleet, const Tunables& tunables);

// A worker that asks for work.
struct Asker {
  int leases = 0;      // claims under way included
  bool alone = false;  // one of them is a suspect's that is to run alone
  bool kept = false;   // kept free for a suspect: see keeps_free
};
enum class Offer { nothing, shared, suspect };
// What the worker may be given. `shared`: the best job of its queues that may run beside others; `suspect`:
// their best suspect.
[[nodiscard]] Offer offer(const Asker& asker, std::optional<ReadyKey> shared,
                          std::optional<ReadyKey> suspect);

// A suspect that is the first of its queue waits this long for a worker that has nothing to do. Then one is
// kept free for it, since under steady load none ever would be.
inline constexpr Seconds kSuspectPatience{60};
struct Candidate {
  WorkerId id;
  int leases = 0;
  bool alone = false;
};
// Which of the workers that serve its queue takes nothing more until the suspect has it: the one that has the
// least to finish. nullopt: none is needed, or all are other suspects'.
[[nodiscard]] std::optional<WorkerId> keeps_free(std::span<const Candidate> workers);

}  // namespace drover::core
