#include "categories.hpp"

#include <algorithm>
#include <array>

namespace drover::core {
namespace category_table {
namespace {

struct Facts {
  const FleetWorker* worker = nullptr;
  bool managed = false;
  bool ended = false;
  SteadyTime::duration age{0};
  SteadyTime::duration silence{0};
  Seconds silence_allowed{0};
  Seconds silence_borne{0};
  Seconds registration_timeout{0};
  WallTime now;
};

bool is_ended(const Facts& of) {
  return of.ended;
}
bool is_asked_to_end(const Facts& of) {
  return of.worker->state == WorkerState::terminating;
}
bool is_noticed(const Facts& of) {
  return of.managed && of.worker->notice_until;
}
bool is_taken_back(const Facts& of) {
  return is_noticed(of) && *of.worker->notice_until + kNoticeGrace <= of.now;
}
bool is_draining(const Facts& of) {
  return of.worker->state == WorkerState::draining;
}
bool is_unwanted(const Facts& of) {
  return of.managed && is_draining(of) && !of.worker->registered;
}
bool is_starting(const Facts& of) {
  return !is_draining(of) && !of.worker->registered;
}
bool is_late(const Facts& of) {
  return of.managed && is_starting(of) && of.age >= of.registration_timeout;
}
// A drained worker may still be uploading when its last attempt has ended.
bool is_drained(const Facts& of) {
  return of.managed && is_draining(of) && of.worker->leases == 0 && of.worker->idle_for &&
         *of.worker->idle_for >= kDrainedGrace;
}
// It takes no job, so it is no capacity.
bool is_silent(const Facts& of) {
  return of.worker->leases == 0 && of.silence >= of.silence_allowed;
}
bool is_given_up(const Facts& of) {
  return of.managed && is_silent(of) && of.silence >= of.silence_borne;
}
bool is_idle(const Facts& of) {
  return of.worker->leases == 0;
}
bool is_any(const Facts&) {
  return true;
}

struct Rule {
  Category category;
  bool (*matches)(const Facts&);
};

// The first that matches.
constexpr std::array kRules{
    // Whatever else is stored of it.
    Rule{Category::ended, is_ended},
    // Drover or a person has decided; nothing takes that back.
    Rule{Category::asked_to_end, is_asked_to_end},
    // The cloud ends it, which costs less than when we do, unless it forgets to.
    Rule{Category::taken_back, is_taken_back},
    Rule{Category::noticed, is_noticed},
    // Boots, or never will: a wrong image, no way to the daemon.
    Rule{Category::unwanted, is_unwanted},
    Rule{Category::late, is_late},
    Rule{Category::starting, is_starting},
    // A person wants it gone when its work is done.
    Rule{Category::drained, is_drained},
    Rule{Category::draining, is_draining},
    // Its machine runs, and nothing is heard of it: hung, or cut off. Or we are.
    Rule{Category::given_up, is_given_up},
    Rule{Category::silent, is_silent},
    // Well.
    Rule{Category::idle, is_idle},
    Rule{Category::busy, is_any},
};

Category category_of(const Facts& facts) {
  for (const Rule& rule : kRules) {
    if (rule.matches(facts)) return rule.category;
  }
  return Category::busy;
}

Facts facts_of(const Look& look, const PlannerMemory& memory, const Sightings& sightings,
               const FleetWorker& worker) {
  Facts of;
  of.worker = &worker;
  of.managed = look.managed(worker);
  of.ended = sightings.ended.contains(worker.id);
  of.age = age_of(look, memory, worker.id);
  of.silence = worker.silent_for ? SteadyTime::duration{*worker.silent_for} : of.age;
  of.silence_allowed = of.silence_borne = look.silence_allowed();
  const auto pool = look.pools.find(worker.pool);
  if (pool != look.pools.end()) of.registration_timeout = pool->second.view->spec.registration_timeout;
  of.now = look.seen.now;
  return of;
}

// One machine that says nothing is given up when its attempts are back in the queue, so that another may
// take its place though the pool is at its max. Many at once are given more time: that may well be us, and
// when we hear them again they are wanted.
Seconds silence_borne(const Look& look, const std::vector<Facts>& all) {
  int fleet = 0;
  int silent = 0;
  for (const Facts& of : all) {
    if (!of.worker->registered || of.worker->state != WorkerState::active || !of.managed) continue;
    ++fleet;
    if (is_silent(of)) ++silent;
  }
  const Seconds allowed = look.silence_allowed();
  return static_cast<double>(silent) <= look.credible_loss(fleet) ? allowed
                                                                  : std::max(kSilentMin, 2 * allowed);
}

}  // namespace
}  // namespace category_table

Classified classify_workers(const Look& look, const PlannerMemory& memory, const Sightings& sightings) {
  using namespace category_table;
  std::vector<Facts> all;
  all.reserve(look.workers.size());
  for (const auto& [id, worker] : look.workers) all.push_back(facts_of(look, memory, sightings, *worker));
  Classified out;
  out.borne = silence_borne(look, all);
  for (Facts& of : all) {
    of.silence_borne = out.borne;
    const WorkerId id = of.worker->id;
    out.category[id] = category_of(of);
    out.age[id] = of.age;
    out.silence[id] = of.silence;
  }
  return out;
}

bool is_capacity(Category category) {
  switch (category) {
    case Category::late:  // not stored as asked to end yet: what replaces it comes with the next plan
    case Category::starting:
    case Category::idle:
    case Category::busy:
      return true;
    case Category::ended:
    case Category::asked_to_end:
    case Category::taken_back:
    case Category::noticed:
    case Category::unwanted:
    case Category::drained:
    case Category::draining:
    case Category::given_up:
    case Category::silent:
      return false;
  }
  return false;
}

}  // namespace drover::core
