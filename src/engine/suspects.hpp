#pragma once

#include "drover/core/job/suspects.hpp"

#include "parts.hpp"

// Jobs whose machine broke under several of them run alone next. Says what a worker may be given, and which
// attempts broke together.
namespace drover::engine {

// How an attempt ended that did not end by itself.
struct Break {
  bool shared = false;             // with others of its worker
  bool with_many = false;          // with more of the fleet than is credible
  SteadyTime::duration silent{0};  // for which nothing had been heard of its worker
  bool undelivered = false;        // the answer that handed it out could not be written
};

[[nodiscard]] core::Offer offer_to(Parts& parts, const Worker& worker);
[[nodiscard]] Break break_of(Parts& parts, const Lease& lease);
void tell_neighbours(Parts& parts, const Lease& broken);
[[nodiscard]] bool many_are_silent(const Parts& parts);

}  // namespace drover::engine
