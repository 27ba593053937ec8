#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "fleet_world.hpp"

namespace drover::core {
namespace {

using testing::violation;
using testing::World;

constexpr unsigned kSeeds = 2000;

// Many ticks of a random fleet: none of them may do what must never be done.
TEST(PlanProperty, NoPlanOfAHistoryIsUnsound) {
  std::map<std::size_t, int> kinds;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    for (int tick = 0; tick < 12; ++tick) {
      const Plan made = plan(world.seen);
      const auto broken = violation(world.seen, made);
      ASSERT_FALSE(broken.has_value()) << "seed " << seed << " tick " << tick << ": " << *broken;
      for (const Action& action : made.actions) ++kinds[action.index()];
      world.apply(made);
      const Seconds step{world.below(60)};
      world.seen.now += step;
      world.seen.steady += step;
    }
  }
  // The histories are worth something only if every kind of action was among them.
  for (std::size_t kind = 0; kind < std::variant_size_v<Action>; ++kind) {
    EXPECT_GT(kinds[kind], 50) << "action " << kind << " is hardly ever planned";
  }
}

// Carried out, a plan leaves nothing to do: with the clock standing still every fleet comes to rest.
TEST(PlanProperty, EveryFleetComesToRest) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    int quiet = 0;
    int rounds = 0;
    for (; quiet < 4 && rounds < 80; ++rounds) {
      const Plan made = plan(world.seen);
      quiet = made.actions.empty() ? quiet + 1 : 0;
      world.apply(made);
    }
    ASSERT_EQ(quiet, 4) << "seed " << seed << " still acts after " << rounds << " rounds";
  }
}

TEST(PlanProperty, NothingMovesWithoutAListing) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    world.seen.listing.reset();
    world.seen.now += Seconds{86'400};
    world.seen.steady += Seconds{86'400};
    const Plan made = plan(world.seen);
    ASSERT_TRUE(made.actions.empty()) << "seed " << seed;
    ASSERT_EQ(made.memory, world.seen.memory) << "seed " << seed;
  }
}

// Work does not wait for machines that say nothing: either it is met by others, or the pool is at its max,
// and then those are given up, or too many to be given up yet.
TEST(PlanProperty, SilentWorkersAreNoCapacity) {
  int launched = 0;
  int given_up = 0;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    world.seen.paused = false;
    world.seen.health = {};
    world.seen.tunables.max_launches_per_minute = 1000;
    for (FleetWorker& worker : world.seen.workers) {
      if (worker.state != WorkerState::active) continue;
      worker.registered = true;
      worker.leases = 0;
      worker.silent_for = Seconds{200};
      worker.idle_for = Seconds{0};
    }
    for (PoolView& pool : world.seen.pools) {
      pool.blocked_reason.clear();
      pool.spec.max_increase = 100;
      pool.spec.min = 0;
      pool.spec.idle_timeout = Seconds{1000};
      world.seen.ready[pool.spec.name] = 1;
    }
    const Plan made = plan(world.seen);
    if (!made.frozen.empty()) continue;
    for (const PoolFigures& figures : made.pools) {
      const auto starting =
          std::count_if(world.seen.workers.begin(), world.seen.workers.end(), [&](const FleetWorker& worker) {
            return worker.pool == figures.pool && worker.state == WorkerState::starting;
          });
      ASSERT_LE(figures.capacity, starting + figures.launching) << "seed " << seed << " " << figures.pool;
    }
    for (const Action& action : made.actions) {
      if (std::holds_alternative<InsertLaunch>(action)) ++launched;
      if (std::holds_alternative<CordonIdle>(action)) ++given_up;
    }
  }
  EXPECT_GT(launched, 500);
  EXPECT_GT(given_up, 500);
}

// A listing that lacks some machines for once ends none of them.
TEST(PlanProperty, OnePartialListingEndsNobody) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    world.seen.memory.absent.clear();
    world.seen.tunables.missing_listings = 2;
    world.seen.tunables.missing_s = 0;
    std::set<std::string> hidden;
    for (const Instance& instance : *world.seen.listing) {
      if (world.chance(50)) hidden.insert(instance.id);
    }
    std::erase_if(*world.seen.listing,
                  [&](const Instance& instance) { return hidden.contains(instance.id); });
    for (const std::string& id : hidden) world.seen.looked_up[id] = std::nullopt;
    const Plan made = plan(world.seen);
    for (const Action& action : made.actions) {
      const auto* lost = std::get_if<LoseWorker>(&action);
      if (lost == nullptr) continue;
      ASSERT_FALSE(hidden.contains(world.worker(lost->worker)->instance_id)) << "seed " << seed;
    }
  }
}

TEST(PlanProperty, TheOrderOfWhatIsSeenDoesNotMatter) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    const Plan first = plan(world.seen);
    Observation& seen = world.seen;
    std::shuffle(seen.pools.begin(), seen.pools.end(), world.random());
    std::shuffle(seen.workers.begin(), seen.workers.end(), world.random());
    std::shuffle(seen.launches.begin(), seen.launches.end(), world.random());
    std::shuffle(seen.listing->begin(), seen.listing->end(), world.random());
    const Plan second = plan(seen);
    ASSERT_EQ(first.actions, second.actions) << "seed " << seed;
    ASSERT_EQ(first.notes, second.notes) << "seed " << seed;
    ASSERT_EQ(first.pools, second.pools) << "seed " << seed;
    ASSERT_EQ(first.memory, second.memory) << "seed " << seed;
    ASSERT_EQ(first.next_wake, second.next_wake) << "seed " << seed;
  }
}

// ---- the checks bite: each rule finds the plan that breaks it

struct Planted {
  Planted() {
    seen.leading = true;
    seen.deployment = testing::kOurs;
    seen.steady = SteadyTime{Seconds{1000}};
    seen.listing.emplace();
    PoolView pool;
    pool.spec.name = "p";
    pool.spec.max = 3;
    pool.spec.max_increase = 10;
    seen.pools.push_back(pool);
    FleetWorker busy;
    busy.id = WorkerId{1};
    busy.instance_id = "i-1";
    busy.pool = "p";
    busy.state = WorkerState::active;
    busy.registered = true;
    busy.leases = 1;
    seen.workers.push_back(busy);
    Instance machine;
    machine.id = "i-1";
    machine.state = InstanceState::running;
    seen.listing->push_back(machine);
    machine.id = "i-2";
    machine.client_token = "token-1";
    machine.tags = {{std::string(kDeploymentTag), testing::kOurs}};
    seen.listing->push_back(machine);
    machine.id = "i-3";
    machine.client_token.clear();
    machine.tags = {{std::string(kDeploymentTag), "another"}};
    seen.listing->push_back(machine);
    FleetLaunch launch;
    launch.id = LaunchId{1};
    launch.pool = "p";
    launch.client_token = "token-1";
    seen.launches.push_back(launch);
  }
  bool caught(Action action) const {
    Plan made;
    made.actions.push_back(std::move(action));
    return violation(seen, made).has_value();
  }
  Observation seen;
};

TEST(PlanProperty, ThePlantedFaultsAreFound) {
  const Planted world;
  const auto launch = [](int count) { return InsertLaunch{"p", 1, count, "", "", Market::spot, ""}; };
  EXPECT_FALSE(world.caught(launch(1))) << "one worker, one under way, one more: max is 3";
  EXPECT_TRUE(world.caught(launch(2))) << "above max";
  EXPECT_TRUE(world.caught(CordonIdle{WorkerId{1}, "i-1", ""})) << "busy";
  EXPECT_TRUE(world.caught(Terminate{WorkerId{1}, "i-1", true, ""})) << "busy";
  Planted idle;
  idle.seen.workers[0].leases = 0;
  idle.seen.workers[0].silent_for = Seconds{59};
  EXPECT_TRUE(idle.caught(CordonIdle{WorkerId{1}, "i-1", ""})) << "spoke within the lease's term";
  idle.seen.workers[0].silent_for = Seconds{60};
  EXPECT_FALSE(idle.caught(CordonIdle{WorkerId{1}, "i-1", ""}));
  EXPECT_TRUE(world.caught(Terminate{WorkerId{}, "i-1", false, ""})) << "a worker's machine as an orphan";
  EXPECT_TRUE(world.caught(Terminate{WorkerId{}, "i-2", false, ""})) << "its intent exists";
  EXPECT_TRUE(world.caught(Terminate{WorkerId{}, "i-3", false, ""})) << "another deployment's";
  EXPECT_TRUE(world.caught(LoseWorker{WorkerId{1}, Outcome::interruption, ""})) << "listed as running";
  EXPECT_TRUE(world.caught(MarkGone{WorkerId{1}, ""})) << "listed as running";
  AdoptInstances adopt{LaunchId{1}, {(*world.seen.listing)[1], (*world.seen.listing)[2]}, ""};
  EXPECT_TRUE(world.caught(adopt)) << "two for an intent of one";
}

TEST(PlanProperty, FaultsOfTheMomentAreFoundToo) {
  const auto launch = InsertLaunch{"p", 1, 1, "", "", Market::spot, ""};
  Planted paused;
  paused.seen.paused = true;
  EXPECT_TRUE(paused.caught(launch));
  EXPECT_TRUE(paused.caught(CallLaunch{LaunchId{1}, ""}));
  Planted blocked;
  blocked.seen.pools[0].blocked_reason = "x";
  EXPECT_TRUE(blocked.caught(launch));
  Planted muted;
  muted.seen.health.refused({RefusalScope::offering, false}, Offering{"p", "", "", Market::spot},
                            muted.seen.steady, {});
  EXPECT_TRUE(muted.caught(launch));
  Planted spent;
  spent.seen.tunables.max_launches_per_minute = 0;
  EXPECT_TRUE(spent.caught(launch));
  Planted blind;
  blind.seen.listing.reset();
  EXPECT_TRUE(blind.caught(launch));
  Planted absent;
  absent.seen.listing->erase(absent.seen.listing->begin());
  EXPECT_TRUE(absent.caught(LoseWorker{WorkerId{1}, Outcome::interruption, ""})) << "no look was taken";
  absent.seen.looked_up["i-1"] = std::nullopt;
  EXPECT_FALSE(absent.caught(LoseWorker{WorkerId{1}, Outcome::interruption, ""}));
  absent.seen.workers[0].silent_for = Millis{100};
  EXPECT_TRUE(absent.caught(LoseWorker{WorkerId{1}, Outcome::interruption, ""})) << "heard a moment ago";
}

}  // namespace
}  // namespace drover::core
