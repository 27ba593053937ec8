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

// Offers a claim for each ready job that a waiting worker takes to the batch that is being formed. What is
// known of too few keys for that is asked for with the batch.
void match(Parts& parts, std::vector<KeysWanted>& wanted);
// Keys that were asked for with the batch before enter memory.
void take_keys(Parts& parts, const KeysFound& found);

}  // namespace drover::engine
