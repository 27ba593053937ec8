#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "drover/core/job/retry.hpp"
#include "drover/core/job/suspects.hpp"

namespace drover::core {
namespace {

// Workers of several slots and jobs of which some end every machine that they run on, sooner or later, in
// random order. Who runs where is asked of offer(), what follows of decide_end().
class BreakingWorld {
 public:
  explicit BreakingWorld(unsigned seed) : random_(seed) {
    slots_ = 1 + below(4);
    workers_.resize(static_cast<std::size_t>(1 + below(4)));
    for (Worker& worker : workers_) worker.id = next_worker_++;
    for (int i = 1 + below(12); i > 0; --i) {
      jobs_.emplace_back();
      jobs_.back().breaks = below(100) < 25;
      breakers_ += jobs_.back().breaks ? 1 : 0;
    }
  }

  // Until every job has come to its end; false: they do not.
  bool run() {
    for (int step = 0; step < 20'000; ++step) {
      if (std::all_of(jobs_.begin(), jobs_.end(), [](const Job& job) { return is_final(job.state); }))
        return true;
      Worker& worker = workers_[static_cast<std::size_t>(below(static_cast<int>(workers_.size())))];
      if (below(2) == 0) {
        ask(worker);
      } else if (!worker.runs.empty()) {
        go_on(worker);
      }
    }
    return false;
  }

  [[nodiscard]] int machines_broken() const { return broken_; }
  [[nodiscard]] int breakers() const { return breakers_; }
  [[nodiscard]] bool innocents_succeeded() const {
    return std::all_of(jobs_.begin(), jobs_.end(), [](const Job& job) {
      return job.state == (job.breaks ? JobState::failed : JobState::succeeded) &&
             (job.breaks || job.charges == 0);
    });
  }
  [[nodiscard]] bool shared_with_suspect() const { return shared_with_suspect_; }

 private:
  struct Job {
    bool breaks = false;
    bool leased = false;
    JobState state = JobState::queued;
    Counters counters;
    Seconds alone{0};
    int charges = 0;
    std::set<int> charged_on;
  };
  struct Worker {
    int id = 0;
    std::vector<int> runs;  // jobs
    bool alone = false;
  };

  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  Job& job(int index) { return jobs_[static_cast<std::size_t>(index)]; }

  std::optional<ReadyKey> best(bool suspect) {
    for (int i = 0; i < static_cast<int>(jobs_.size()); ++i) {
      const Job& one = job(i);
      if (!one.leased && !is_final(one.state) && (one.alone > Seconds{0}) == suspect) return ReadyKey{0, i};
    }
    return std::nullopt;
  }

  void ask(Worker& worker) {
    if (static_cast<int>(worker.runs.size()) >= slots_) return;
    const auto shared = best(false);
    const auto suspect = best(true);
    const Offer given = offer({static_cast<int>(worker.runs.size()), worker.alone, false}, shared, suspect);
    if (given == Offer::nothing) return;
    const auto index = static_cast<int>((given == Offer::suspect ? suspect : shared)->number);
    if (worker.alone || (given == Offer::suspect && !worker.runs.empty())) shared_with_suspect_ = true;
    worker.alone = given == Offer::suspect;
    job(index).leased = true;
    worker.runs.push_back(index);
  }

  // One of its jobs ends as it would: a breaker with the whole machine, and a new one takes its place.
  void go_on(Worker& worker) {
    const int index = worker.runs[static_cast<std::size_t>(below(static_cast<int>(worker.runs.size())))];
    if (!job(index).breaks) {
      std::erase(worker.runs, index);
      end(index, Outcome::succeeded, false, worker.id);
      worker.alone = false;
      return;
    }
    ++broken_;
    for (const int each : worker.runs) end(each, Outcome::infra, worker.runs.size() > 1, worker.id);
    worker = Worker{next_worker_++, {}, false};
  }

  void end(int index, Outcome outcome, bool shared, int worker) {
    Job& one = job(index);
    EndedAttempt ended;
    ended.outcome = outcome;
    ended.counters = one.counters;
    ended.shared = shared;
    ended.ran = Seconds{below(50)};
    ended.alone = one.alone;
    ended.charges = one.charges;
    std::set<int> charged_on = one.charged_on;
    charged_on.insert(worker);
    ended.infra_workers = static_cast<int>(charged_on.size());
    const Disposition after = decide_end(ended);
    if (after.charged) one.charged_on = charged_on;
    one.state = after.state;
    one.counters = after.counters;
    one.alone = after.alone;
    one.charges = after.charges;
    one.leased = false;
  }

  std::mt19937 random_;
  int slots_ = 1;
  int next_worker_ = 1;
  int broken_ = 0;
  int breakers_ = 0;
  bool shared_with_suspect_ = false;
  std::vector<Worker> workers_;
  std::vector<Job> jobs_;
};

TEST(SuspectProperty, BreakersAreParkedWithinFourMachinesEachAndInnocentsAreNot) {
  int broken = 0;
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    BreakingWorld world(seed);
    ASSERT_TRUE(world.run()) << "seed " << seed;
    ASSERT_TRUE(world.innocents_succeeded()) << "seed " << seed;
    ASSERT_FALSE(world.shared_with_suspect()) << "seed " << seed;
    ASSERT_LE(world.machines_broken(), (1 + kPoisonWorkers) * world.breakers()) << "seed " << seed;
    broken += world.machines_broken();
  }
  EXPECT_GT(broken, 5000) << "hardly a machine broke";
}

}  // namespace
}  // namespace drover::core
