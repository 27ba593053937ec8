#include <algorithm>
#include <numeric>

#include "plan_context.hpp"

namespace drover::core {
namespace {

int budget_left(const Context& c) {
  const auto& launched = c.plan.memory.launched;
  const int used = std::accumulate(launched.begin(), launched.end(), c.asked_for,
                                   [](int sum, const auto& entry) { return sum + entry.second.count; });
  return std::max(c.seen.tunables.max_launches_per_minute - used, 0);
}

void note_muted(Context& c, const std::string& pool, const Mute& mute) {
  const auto left = std::chrono::ceil<Millis>(mute.until - c.seen.steady);
  c.note(pool, mute.lasting ? NoteKind::refused : NoteKind::no_capacity, mute.error, left);
  c.plan.notes.back().instance_type = mute.instance_type;
  c.wake_in(left);
}

std::string reason_for(const PoolFigures& figures) {
  return std::to_string(figures.pending) + " jobs want " + std::to_string(figures.wanted) + " instances, " +
         std::to_string(figures.capacity) + " are there or under way";
}

// True when nothing may be launched for the pool whatever is wanted; says why.
bool stopped(Context& c, const std::string& name, const PoolState& pool) {
  if (!pool.view->blocked_reason.empty()) {
    c.note(name, NoteKind::blocked, pool.view->blocked_reason);
  } else if (c.seen.paused) {
    c.note(name, NoteKind::paused, "the scheduler is paused");
  } else if (c.frozen()) {
    c.note(name, NoteKind::frozen, c.plan.frozen);
  } else {
    return false;
  }
  return true;
}

void scale_out_pool(Context& c, const std::string& name, PoolState& pool) {
  const PoolSpec& spec = pool.view->spec;
  PoolFigures& figures = pool.figures;
  const int missing = figures.wanted - figures.capacity;
  if (missing <= 0 && pool.unserved <= 0) return;
  if (stopped(c, name, pool)) return;
  const OfferingChoice choice = choose_offering(c.seen, spec);
  if (!choice.offering) {
    if (choice.muted != nullptr) note_muted(c, name, *choice.muted);
    return;
  }
  const int room = spec.max - figures.instances;
  if (pool.unserved > 0 || room < missing) {
    c.note(name, NoteKind::at_max, "the pool has its max of " + std::to_string(spec.max) + " instances");
  }
  const int budget = budget_left(c);
  const int count = std::min({missing, room, spec.max_increase, kInstancesPerCall, budget});
  if (budget < missing) {
    c.note(name, NoteKind::budget,
           "max_launches_per_minute is " + std::to_string(c.seen.tunables.max_launches_per_minute));
  }
  if (count <= 0) return;
  c.act(InsertLaunch{name, pool.view->version, count, choice.offering->instance_type, choice.offering->subnet,
                     spec.market, reason_for(figures)});
  c.asked_for += count;
  figures.launching += count;
  figures.capacity += count;
  figures.instances += count;
}

}  // namespace

OfferingChoice choose_offering(const Observation& seen, const PoolSpec& pool) {
  static const std::vector<std::string> kAny{std::string()};
  const auto& types = pool.instance_types.empty() ? kAny : pool.instance_types;
  const auto& subnets = pool.subnets.empty() ? kAny : pool.subnets;
  OfferingChoice choice;
  for (const std::string& type : types) {
    for (const std::string& subnet : subnets) {
      const Offering offering{pool.name, type, subnet, pool.market};
      const Mute* mute = seen.health.muted(offering, seen.steady);
      if (mute == nullptr) return {offering, nullptr};
      if (choice.muted == nullptr || mute->until < choice.muted->until) choice.muted = mute;
    }
  }
  return choice;
}

void scale_out(Context& c) {
  for (auto& [name, pool] : c.pools) {
    if (pool.view->spec.provider == Provider::ec2) scale_out_pool(c, name, pool);
  }
}

}  // namespace drover::core
