#include "drover/core/worker/lease.hpp"

namespace drover::core {
namespace {

constexpr int kMissedLists = 2;

}  // namespace

LeaseTerm handed_out(LeaseTerm lease, SteadyTime now, const Tunables& tunables) {
  lease.answered = now;
  lease.deadline = now + Seconds{tunables.lease_s};
  lease.missed_lists = 0;
  ++lease.delivery;
  return lease;
}

LeaseTerm listed(LeaseTerm lease, SteadyTime now, const Tunables& tunables) {
  lease.deadline = now + Seconds{tunables.lease_s};
  lease.missed_lists = 0;
  lease.heard_of = true;
  return lease;
}

LeaseTerm left_out(LeaseTerm lease, SteadyTime now, const Tunables& tunables) {
  if (now - lease.answered > Seconds{2 * tunables.heartbeat_interval_s}) ++lease.missed_lists;
  return lease;
}

LeaseVerdict judge_lease(const LeaseTerm& lease, SteadyTime now) {
  if (lease.missed_lists >= kMissedLists) {
    return lease.heard_of ? LeaseVerdict::dropped : LeaseVerdict::returned;
  }
  return lease.deadline <= now ? LeaseVerdict::silent : LeaseVerdict::stands;
}

bool may_give_back(const LeaseTerm& lease, std::int64_t delivery) {
  return lease.delivery == delivery && !lease.heard_of;
}

}  // namespace drover::core
