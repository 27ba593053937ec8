#include "drover/core/fleet/worker_rules.hpp"

#include <algorithm>
#include <array>

#include "drover/base/limits.hpp"
#include "drover/core/fleet/plan.hpp"

namespace drover::core {
namespace worker_table {
namespace {

using Facts = WorkerFacts;

bool is_ended(const Facts& of) {
  return of.ended;
}
bool is_asked_to_end(const Facts& of) {
  return of.state == WorkerState::terminating;
}
bool is_noticed(const Facts& of) {
  return of.managed && of.notice_until;
}
bool is_taken_back(const Facts& of) {
  return is_noticed(of) && *of.notice_until + kNoticeGrace <= of.now;
}
bool is_draining(const Facts& of) {
  return of.state == WorkerState::draining;
}
bool is_unwanted(const Facts& of) {
  return of.managed && is_draining(of) && !of.registered;
}
bool is_starting(const Facts& of) {
  return !is_draining(of) && !of.registered;
}
bool is_late(const Facts& of) {
  return of.managed && is_starting(of) && of.age >= of.registration_timeout;
}
bool is_drained(const Facts& of) {
  return of.managed && is_draining(of) && of.leases == 0 && of.idle_for && *of.idle_for >= kDrainedGrace;
}
bool is_given_up(const Facts& of) {
  return of.managed && is_silent(of) && of.silence >= of.silence_borne;
}
bool is_idle(const Facts& of) {
  return of.leases == 0;
}
bool is_any(const Facts&) {
  return true;
}

struct Rule {
  Category category;
  bool (*matches)(const Facts&);
};

// The first that matches decides.
constexpr std::array kRules{
    // Its machine no longer exists, whatever else is stored of the worker.
    Rule{Category::ended, is_ended},
    // Drover or a person has decided that it ends, and nothing takes that back.
    Rule{Category::asked_to_end, is_asked_to_end},
    // The cloud announced that it takes the machine back. Leaving that to the cloud costs less than
    // terminating the machine, unless it is still there long after the announced time.
    Rule{Category::taken_back, is_taken_back},
    Rule{Category::noticed, is_noticed},
    // It has not registered: its machine boots, or never will (a wrong image, no way to the daemon).
    Rule{Category::unwanted, is_unwanted},
    Rule{Category::late, is_late},
    Rule{Category::starting, is_starting},
    // A person wants it gone once its attempts have ended.
    Rule{Category::drained, is_drained},
    Rule{Category::draining, is_draining},
    // Its machine runs, but nothing is heard of it: it hangs, or the network between it and this daemon is
    // cut.
    Rule{Category::given_up, is_given_up},
    Rule{Category::silent, is_silent},
    // Nothing is wrong with it.
    Rule{Category::idle, is_idle},
    Rule{Category::busy, is_any},
};

}  // namespace
}  // namespace worker_table

Category category_of(const WorkerFacts& worker) {
  for (const worker_table::Rule& rule : worker_table::kRules) {
    if (rule.matches(worker)) return rule.category;
  }
  return Category::busy;
}

bool is_capacity(Category category) {
  switch (category) {
    case Category::late:  // not stored as asked to end yet: the next plan replaces it
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

bool is_silent(const WorkerFacts& worker) {
  return worker.leases == 0 && worker.silence >= worker.silence_allowed;
}

// A worker's poll that finds no job lasts kLongPoll, so that its last question may be that old when it asks
// again.
bool asks_no_more(const WorkerFacts& worker) {
  if (!worker.idle_for) return false;
  return std::min(worker.asked_ago.value_or(*worker.idle_for), *worker.idle_for) >=
         worker.silence_allowed + limits::kLongPoll;
}

bool fills_slots(const WorkerFacts& worker) {
  const Category category = category_of(worker);
  return (category == Category::idle || category == Category::busy) &&
         worker.silence < worker.silence_allowed && !asks_no_more(worker);
}

}  // namespace drover::core
