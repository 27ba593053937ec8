// Scale-in against claims, on the real engine and PostgreSQL: ten thousand times a worker is cordoned for
// being idle while it claims a job. One of the two wins; a worker that was cordoned never runs anything.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <random>

#include "engine_fixture.hpp"
#include "patience.hpp"

namespace drover::testing {
namespace {

constexpr int kLanes = 48;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRounds = 21;  // several times slower
#else
constexpr int kRounds = 209;  // of each lane
#endif
constexpr int kInterleavings = kLanes * kRounds;

struct Tally {
  int claimed = 0;         // the claim won
  int cordoned = 0;        // the cordon won
  int ended_first = 0;     // cordoned right after its job had ended
  int cordon_refused = 0;  // while its job was about to end
  std::string broken;      // the first contradiction
};

// A started call, to be waited for later.
template <class T>
struct Pending {
  std::shared_ptr<std::promise<Result<T>>> promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future = promise->get_future();
  engine::Done<T> done() const {
    return [kept = promise](Result<T> answer) { kept->set_value(std::move(answer)); };
  }
  Result<T> get() {
    if (future.wait_for(kPatience) == std::future_status::ready) return future.get();
    return Error{Errc::timeout, "no answer"};
  }
};

class ScaleInRace : public EngineTest {
 protected:
  // One worker after the other, each in a pool and queue of the lane's own.
  class Lane {
   public:
    Lane(ScaleInRace& race, int lane, unsigned seed)
        : race_(race),
          name_("lane-" + std::to_string(lane)),
          random_(seed),
          next_instance_(1'000'000 + lane * 10'000) {}
    void prepare() { hire(); }
    void run(int rounds) {
      for (int i = 0; i < rounds && tally.broken.empty(); ++i) round();
    }
    Tally tally;

   private:
    int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
    void hire() {
      const std::string id = "i-" + std::to_string(next_instance_++);
      worker_ = race_.add_worker(id, 2, name_);
    }
    // Nothing, or up to the time of some commits.
    void dawdle() {
      constexpr std::array kMicros{0, 0, 30, 300, 1500, 6000};
      const int most = kMicros.at(static_cast<std::size_t>(below(static_cast<int>(kMicros.size()))));
      if (most > 0) std::this_thread::sleep_for(Micros{below(most)});
    }
    // `apart`: sometimes by so much that what is called first is committed first, however slow the machine.
    void in_any_order(std::vector<std::function<void()>> calls, bool apart = false) {
      std::shuffle(calls.begin(), calls.end(), random_);
      for (const auto& call : calls) {
        dawdle();
        if (apart) std::this_thread::sleep_for(Millis{below(150)});
        call();
      }
    }
    engine::ClaimRequest claim_request(int wait_s) {
      return {*worker_, "n" + std::to_string(claims_++), 1, Seconds{wait_s}, [] { return true; }};
    }
    ports::MoveWorker cordon() const {
      return ports::MoveWorker{worker_->worker, core::WorkerMove::cordon_idle, "idle", race_.clock_.wall()};
    }
    void round();
    void end_and_cordon(const engine::ClaimedJob& job);
    void leave();
    void fail(const std::string& what) { tally.broken = name_ + ": " + what; }

    ScaleInRace& race_;
    std::string name_;
    std::mt19937 random_;
    std::optional<engine::WorkerAuth> worker_;
    std::optional<JobNumber> waiting_;  // a job in the lane's queue
    int next_instance_;
    int claims_ = 0;
  };
};

void ScaleInRace::Lane::round() {
  if (!worker_) hire();
  Pending<std::vector<engine::Submitted>> submitted;
  Pending<engine::ClaimAnswer> claimed;
  Pending<ports::MoveWorker::Answer> cordoned;
  Pending<engine::ActAnswer> poked;
  const bool submits = !waiting_;
  const bool pokes = waiting_ && below(3) == 0;
  std::vector<std::function<void()>> calls{
      [&] { race_.engine_.claim(claim_request(below(2) == 0 ? 0 : 20), claimed.done()); },
      [&] { race_.engine_.apply(cordon(), cordoned.done()); }};
  if (submits) calls.push_back([&] { race_.engine_.submit({job_spec("one", name_)}, submitted.done()); });
  // Another command of the same job has the claim wait for the next transaction, after the cordon's.
  if (pokes) {
    calls.push_back([&] {
      race_.engine_.act({*waiting_, {}, core::JobAction::release, race_.clock_.wall()}, poked.done());
    });
  }
  in_any_order(std::move(calls));
  if (submits) {
    const auto answer = submitted.get();
    if (!answer.ok()) return fail("submit: " + answer.error().message);
    waiting_ = answer->front().number;
  }
  if (pokes && !poked.get().ok()) return fail("a release of a job was refused");
  const auto cordon_answer = cordoned.get();
  const auto claim_answer = claimed.get();
  if (!claim_answer.ok()) return fail("claim: " + claim_answer.error().message);
  const bool has_job = !claim_answer->jobs.empty();
  if (has_job && cordon_answer.ok()) return fail("the worker was cordoned and has a job");
  if (!has_job && !cordon_answer.ok()) return fail("no job, and yet: " + cordon_answer.error().message);
  if (!has_job) {
    ++tally.cordoned;
    return leave();
  }
  if (cordon_answer.error().code != Errc::conflict) return fail("cordon: " + cordon_answer.error().message);
  ++tally.claimed;
  waiting_.reset();
  end_and_cordon(claim_answer->jobs.front());
}

// The job ends, at times while its worker is cordoned once more.
void ScaleInRace::Lane::end_and_cordon(const engine::ClaimedJob& job) {
  Pending<engine::ReportAnswer> ended;
  Pending<ports::MoveWorker::Answer> cordoned;
  const bool races = below(4) == 0;
  std::vector<std::function<void()>> calls{[&] {
    race_.engine_.report({*worker_,
                          {job.attempt.job, job.attempt.attempt, job.token},
                          core::Outcome::succeeded,
                          {},
                          0,
                          std::nullopt,
                          ""},
                         ended.done());
  }};
  if (races) calls.push_back([&] { race_.engine_.apply(cordon(), cordoned.done()); });
  in_any_order(std::move(calls), races && below(4) == 0);
  const auto answer = ended.get();
  if (!answer.ok()) return fail("a report was refused: " + answer.error().message);
  if (!races) return;
  if (!cordoned.get().ok()) {
    ++tally.cordon_refused;
  } else {
    ++tally.ended_first;
    leave();
  }
}

// A cordoned worker asks once more, and is lost.
void ScaleInRace::Lane::leave() {
  if (below(4) == 0) {
    Pending<engine::ClaimAnswer> late;
    race_.engine_.claim(claim_request(0), late.done());
    const auto answer = late.get();
    if (!answer.ok() || !answer->jobs.empty() || !answer->drain)
      return fail("a cordoned worker is not told to drain");
  }
  race_.engine_.lose_worker(worker_->worker, core::Outcome::interruption, "scaled in", false,
                            [](const auto&) {});
  worker_.reset();
}

unsigned seed_of_run() {
  const char* given = std::getenv("DROVER_SEED");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
}

TEST_F(ScaleInRace, ACordonedWorkerNeverHasAJob) {
  const unsigned seed = seed_of_run();
  SCOPED_TRACE("DROVER_SEED=" + std::to_string(seed));
  std::vector<Lane> lanes;
  for (int i = 0; i < kLanes; ++i) lanes.emplace_back(*this, i, seed + static_cast<unsigned>(i));
  for (Lane& lane : lanes) lane.prepare();
  std::vector<std::thread> threads;
  for (Lane& lane : lanes) threads.emplace_back([&lane] { lane.run(kRounds); });
  for (std::thread& thread : threads) thread.join();
  Tally sum;
  for (const Lane& lane : lanes) {
    EXPECT_EQ(lane.tally.broken, "");
    sum.claimed += lane.tally.claimed;
    sum.cordoned += lane.tally.cordoned;
    sum.ended_first += lane.tally.ended_first;
    sum.cordon_refused += lane.tally.cordon_refused;
  }
  std::cout << sum.claimed << " times the claim won, " << sum.cordoned
            << " times the cordon; of cordons beside a "
            << "job's end " << sum.ended_first << " came after it, " << sum.cordon_refused << " before it\n";
  EXPECT_EQ(sum.claimed + sum.cordoned, kInterleavings);
  // Worth something only if each side won often.
  EXPECT_GT(sum.claimed, kInterleavings / 10);
  EXPECT_GT(sum.cordoned, kInterleavings / 10);
  EXPECT_GT(sum.ended_first, kInterleavings / 500);
  EXPECT_GT(sum.cordon_refused, 0);
  // The trail says the same, in the order of commits.
  const std::string cordons =
      "(SELECT worker, min(id) AS id FROM event WHERE kind = 'worker_terminating' GROUP BY worker) k";
  EXPECT_EQ(value("SELECT count(*) FROM " + cordons), std::to_string(sum.cordoned + sum.ended_first));
  EXPECT_EQ(value("SELECT count(*) FROM " + cordons +
                  " JOIN event c ON c.worker = k.worker AND c.kind = 'claimed' AND c.id > k.id"),
            "0")
      << "claims after the cordon";
  EXPECT_EQ(
      value("SELECT count(*) FROM " + cordons +
            " JOIN event c ON c.worker = k.worker AND c.kind = 'claimed' AND c.id < k.id WHERE NOT EXISTS "
            "(SELECT FROM event e WHERE e.job = c.job AND e.attempt = c.attempt AND e.kind = 'succeeded' "
            "AND e.id < k.id)"),
      "0")
      << "attempts open at the cordon";
}

}  // namespace
}  // namespace drover::testing
