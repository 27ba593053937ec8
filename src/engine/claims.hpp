#pragma once

#include "parts.hpp"

// Polls of workers for jobs, and matching them with what is ready.
namespace drover::engine {

// Answers without the attempts' tokens; see with_tokens().
void take_poll(Parts& parts, ClaimRequest request, Done<ClaimAnswer> done);
// Returns a callback that adds each attempt's token to the answer and passes it on to `done`. Deriving tokens
// takes time, so it is to be called on the answers' thread, not on the engine's.
[[nodiscard]] Done<ClaimAnswer> with_tokens(const ClaimRequest& request, Done<ClaimAnswer> done);
// Ends the worker's poll, if it has one, with this answer.
void end_poll(Parts& parts, WorkerId worker, ClaimAnswer answer);
// Ends polls whose time is over.
void end_overdue_polls(Parts& parts);
// Ends the poll of the worker, if the worker is to claim no more.
void end_polls_of_ineligible(Parts& parts, WorkerId worker);
// Serves the polls that waited until an attempt had been given back, which is done now.
void serve_held_polls(Parts& parts);

// Offers a claim for each ready job that a waiting worker takes to the batch that is being formed. Keys of
// which memory holds too few for that are asked for.
void match(Parts& parts);

// Ready keys are read beside the batches. The next three functions are called between two batches, when no
// claim is under way.

// Takes what was read meanwhile into memory.
void take_keys(Parts& parts);
// Asks for the keys of the queues to rescan, of each as soon as it may be read.
void ask_for_keys(Parts& parts);
[[nodiscard]] bool may_ask_for_keys(const Parts& parts);

}  // namespace drover::engine
