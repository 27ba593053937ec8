#pragma once

#include "parts.hpp"

// Polls of workers for jobs, and matching them with what is ready.
namespace drover::engine {

// Answered jobs without their tokens; see with_tokens().
void take_poll(Parts& parts, ClaimRequest request, Done<ClaimAnswer> done);
// Tells `done` the answer with each attempt's token, derived on the thread that calls: not the engine's.
[[nodiscard]] Done<ClaimAnswer> with_tokens(const ClaimRequest& request, Done<ClaimAnswer> done);
// The worker's poll is over with this answer, if it has one.
void end_poll(Parts& parts, WorkerId worker, ClaimAnswer answer);
// Polls whose time is over, or whose worker is to claim no more.
void end_overdue_polls(Parts& parts);
void end_polls_of_ineligible(Parts& parts, WorkerId worker);
// Those that waited for a give-back: it is done.
void serve_held_polls(Parts& parts);

// Offers a claim for each ready job that a waiting worker takes to the batch that is being formed. Keys of
// which memory holds too few for that are asked for.
void match(Parts& parts);

// Ready keys are read beside the batches. The next three functions are called between two batches, when no
// claim is under way.

// What was read meanwhile enters memory.
void take_keys(Parts& parts);
// The keys of queues to rescan are asked for, as soon as that may be.
void ask_for_keys(Parts& parts);
[[nodiscard]] bool may_ask_for_keys(const Parts& parts);

}  // namespace drover::engine
