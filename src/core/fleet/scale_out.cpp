#include <algorithm>
#include <numeric>

#include "steps.hpp"

namespace drover::core {
namespace {

int scale_out_pool(const Look& look, const PoolView& view, const std::string& frozen, int asked_for,
                   PoolDemand& pool, Part& part);

}  // namespace

Growth scale_out(const Look& look, const std::string& frozen, int asked_for, Demand demand) {
  Growth out{{}, std::move(demand)};
  for (auto& [name, pool] : out.demand) {
    const PoolView& view = *look.pools.at(name).view;
    if (view.spec.provider != Provider::ec2) continue;
    asked_for += scale_out_pool(look, view, frozen, asked_for, pool, out.part);
  }
  return out;
}

namespace {

int budget_left(const Look& look, int asked_for) {
  int used = asked_for;
  for (const auto& [launch, charge] : look.seen.outcomes.launched) {
    if (look.is_charged(launch)) used += charge.count;
  }
  return std::max(look.seen.tunables.max_launches_per_minute - used, 0);
}

void note_muted(const Look& look, const std::string& pool, const Mute& mute, Part& part) {
  const auto left = std::chrono::ceil<Millis>(mute.until - look.seen.steady);
  part.notes.push_back(Note{pool,
                            mute.lasting ? NoteKind::refused : NoteKind::no_capacity,
                            {},
                            left,
                            mute.instance_type,
                            mute.error});
  part.wake_in(left);
}

std::string reason_for(const PoolFigures& figures) {
  return std::to_string(figures.pending) + " jobs want " + std::to_string(figures.wanted) + " instances, " +
         std::to_string(figures.capacity) + " are there or under way";
}

// True when nothing may be launched for the pool whatever is wanted; says why.
bool stopped(const Look& look, const PoolView& pool, const std::string& frozen, Part& part) {
  if (!pool.blocked_reason.empty()) {
    part.note(pool.spec.name, NoteKind::blocked, pool.blocked_reason);
  } else if (look.seen.paused) {
    part.note(pool.spec.name, NoteKind::paused, "the scheduler is paused");
  } else if (!frozen.empty()) {
    part.note(pool.spec.name, NoteKind::frozen, frozen);
  } else {
    return false;
  }
  return true;
}

// How many machines are asked for; `asked_for`: by this plan so far.
int scale_out_pool(const Look& look, const PoolView& view, const std::string& frozen, int asked_for,
                   PoolDemand& pool, Part& part) {
  const PoolSpec& spec = view.spec;
  PoolFigures& figures = pool.figures;
  const int missing = figures.wanted - figures.capacity;
  if (missing <= 0 && pool.unserved <= 0) return 0;
  if (stopped(look, view, frozen, part)) return 0;
  const OfferingChoice choice = choose_offering(look.seen, spec);
  if (!choice.offering) {
    if (choice.muted != nullptr) note_muted(look, spec.name, *choice.muted, part);
    return 0;
  }
  const int room = spec.max - figures.instances;
  if (pool.unserved > 0 || room < missing) {
    part.note(spec.name, NoteKind::at_max,
              "the pool has its max of " + std::to_string(spec.max) + " instances");
  }
  const int budget = budget_left(look, asked_for);
  const int count = std::min({missing, room, spec.max_increase, kInstancesPerCall, budget});
  if (budget < missing) {
    part.note(spec.name, NoteKind::budget,
              "max_launches_per_minute is " + std::to_string(look.seen.tunables.max_launches_per_minute));
  }
  if (count <= 0) return 0;
  part.act(InsertLaunch{spec.name, view.version, count, choice.offering->instance_type,
                        choice.offering->subnet, spec.market, reason_for(figures)});
  figures.launching += count;
  figures.capacity += count;
  figures.instances += count;
  return count;
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

}  // namespace drover::core
