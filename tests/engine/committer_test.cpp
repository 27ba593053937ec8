#include "engine/committer.hpp"

#include <set>

#include <gtest/gtest.h>

#include "engine/no_metrics.hpp"

namespace drover::engine {
namespace {

using testing::NoMetrics;

// A session that refuses batches holding a poisoned job, and can lose its connection.
class ScriptedSession final : public ports::WriteSession {
 public:
  std::set<std::int64_t> poisoned;
  std::optional<Error> fail_next;
  std::vector<std::vector<std::int64_t>> committed;  // job numbers, a batch each
  int calls = 0;

  Result<ports::BootState> boot() override { return ports::BootState{}; }
  Result<std::vector<ports::Settled>> commit(std::span<const ports::Change> batch) override {
    ++calls;
    std::vector<std::int64_t> numbers;
    partial_.clear();
    for (const ports::Change& change : batch) {
      const JobNumber job = std::get<ports::ActOnJob>(change).job;
      if (poisoned.contains(job.value)) return Error{Errc::data, "value out of range", {}, "22003"};
      numbers.push_back(job.value);
      ports::ActOnJob::Answer done;
      done.changed = true;
      partial_.push_back(ports::settled<ports::ActOnJob>(done));
    }
    if (fail_next) {
      Error error = *fail_next;
      fail_next.reset();
      return error;
    }
    committed.push_back(numbers);
    return std::move(partial_);
  }
  std::vector<ports::Settled> take_partial() override { return std::move(partial_); }
  Result<JobNumber> reserve_numbers(int) override { return JobNumber{1}; }
  Result<std::vector<core::ReadyKey>> ready_after(const std::string&, std::optional<core::ReadyKey>, int,
                                                  bool) override {
    return std::vector<core::ReadyKey>{};
  }
  Status ping() override { return Ok{}; }
  Status make_partitions(WallTime) override { return Ok{}; }

 private:
  std::vector<ports::Settled> partial_;
};

// Only resolve() matters here.
class ScriptedStore final : public ports::Store {
 public:
  Result<ports::TransactionFate> fate = ports::TransactionFate::committed;
  std::string asked;

  Result<ports::TransactionFate> resolve(const std::string& transaction_id) override {
    asked = transaction_id;
    return fate;
  }
  Result<int> migrate() override { return 0; }
  Result<std::unique_ptr<ports::WriteSession>> lead() override { return none(); }
  Status ping() override { return Ok{}; }
  Result<std::optional<ports::JobRow>> job(JobNumber) override { return none(); }
  Result<std::vector<ports::JobRow>> jobs(const ports::JobFilter&) override { return none(); }
  Result<std::vector<ports::AttemptRow>> attempts(JobNumber) override { return none(); }
  Result<std::vector<ports::ArtifactRow>> artifacts(JobNumber, std::string_view, int) override {
    return none();
  }
  Result<std::optional<ports::ArtifactRow>> artifact(JobNumber, std::string_view) override { return none(); }
  Result<std::vector<ports::WorkerRow>> workers(bool, std::optional<WorkerId>, int) override {
    return none();
  }
  Result<std::optional<ports::WorkerRow>> worker(const std::string&) override { return none(); }
  Result<std::vector<ports::PoolRow>> pools() override { return none(); }
  Result<ports::FleetSnapshot> fleet() override { return none(); }
  Result<std::optional<ports::LaunchRow>> launch_by_token(const Sha256&) override { return none(); }

 private:
  static Error none() { return Error{Errc::unavailable, "not scripted"}; }
};

class CommitterTest : public ::testing::Test {
 protected:
  CommitterTest() { committer.begin_term(&session); }

  void add(std::int64_t job, std::size_t bytes = 0) {
    auto make = [job, this]() -> Result<std::optional<ports::ActOnJob>> {
      ++made;
      return std::optional(ports::ActOnJob{JobNumber{job}, {}, {}, {}});
    };
    auto told = [job, this](const Result<ports::ActOnJob::Answer>& done) {
      answers.emplace_back(job, done ? "ok" : done.error().message);
      codes[job] = done ? std::optional<Errc>() : done.error().code;
    };
    committer.add(
        work_of<ports::ActOnJob>(ports::key_of(JobNumber{job}), std::move(make), std::move(told), 1, bytes));
  }

  NoMetrics metrics;
  ScriptedStore store;
  ScriptedSession session;
  std::vector<std::int64_t> applied;
  Committer committer{store, metrics, [this](const ports::Change& change, const ports::Settled&) {
                        applied.push_back(std::get<ports::ActOnJob>(change).job.value);
                      }};
  int made = 0;
  std::vector<std::pair<std::int64_t, std::string>> answers;
  std::map<std::int64_t, std::optional<Errc>> codes;
};

TEST_F(CommitterTest, OneBatchTakesAllThatWaits) {
  for (int i = 1; i <= 10; ++i) add(i);
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::answered);
  EXPECT_EQ(session.calls, 1);
  EXPECT_EQ(answers.size(), 10U);
  EXPECT_EQ(applied.size(), 10U);
  EXPECT_TRUE(committer.idle());
}

TEST_F(CommitterTest, ABatchHoldsABoundedAmountOfText) {
  for (int i = 1; i <= 4; ++i) add(i, limits::kBatchBytes / 2);
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::answered);
  EXPECT_EQ(answers.size(), 2U);
  add(5, 20 * limits::kBatchBytes);
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::answered);
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::answered) << "what is larger alone goes alone";
  EXPECT_EQ(answers.size(), 5U);
}

TEST_F(CommitterTest, TheSecondCommandOfAJobWaitsForTheNextBatchAndSeesTheFirst) {
  add(1);
  add(2);
  add(1);
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::answered);
  EXPECT_EQ(made, 2) << "the second command of job 1 must not be decided before the first is applied";
  EXPECT_FALSE(committer.idle());
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::answered);
  EXPECT_EQ(session.committed, (std::vector<std::vector<std::int64_t>>{{1, 2}, {1}}));
}

TEST_F(CommitterTest, OneBadCommandAmongAThousandFailsAlone) {
  for (int i = 1; i <= 1000; ++i) add(i);
  session.poisoned = {617};
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::answered);
  ASSERT_EQ(answers.size(), 1000U);
  for (int i = 1; i <= 1000; ++i) {
    EXPECT_EQ(codes[i], i == 617 ? std::optional(Errc::data) : std::nullopt) << i;
  }
  EXPECT_EQ(applied.size(), 999U);
  EXPECT_LE(session.calls, 2 * 11) << "halves, not one by one";
}

TEST_F(CommitterTest, ALostSessionAnswersUnavailableAndAppliesNothing) {
  add(1);
  session.fail_next = Error{Errc::unavailable, "gone"};
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::lost);
  EXPECT_EQ(codes[1], Errc::unavailable);
  EXPECT_TRUE(applied.empty());
  EXPECT_FALSE(committer.in_doubt());
}

TEST_F(CommitterTest, InDoubtAndCommittedIsAnsweredOnceAsDone) {
  add(1);
  session.fail_next = Error{Errc::commit_unknown, "lost", {}, "4711"};
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::lost);
  EXPECT_TRUE(answers.empty()) << "nobody may be told before it is known";
  committer.end_term(Error{Errc::unavailable, "lost"});
  EXPECT_TRUE(answers.empty());
  store.fate = ports::TransactionFate::in_progress;
  EXPECT_FALSE(committer.resolve());
  store.fate = ports::TransactionFate::committed;
  EXPECT_TRUE(committer.resolve());
  EXPECT_EQ(store.asked, "4711");
  EXPECT_EQ(codes[1], std::nullopt);
  EXPECT_EQ(answers.size(), 1U);
}

TEST_F(CommitterTest, InDoubtAndAbortedRunsAgainInTheNextTerm) {
  add(1);
  session.fail_next = Error{Errc::commit_unknown, "lost", {}, "4711"};
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::lost);
  committer.end_term(Error{Errc::unavailable, "lost"});
  store.fate = ports::TransactionFate::aborted;
  EXPECT_TRUE(committer.resolve());
  EXPECT_TRUE(answers.empty());
  ScriptedSession next;
  committer.begin_term(&next);
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::answered);
  EXPECT_EQ(next.committed, (std::vector<std::vector<std::int64_t>>{{1}}));
  EXPECT_EQ(codes[1], std::nullopt);
  EXPECT_EQ(made, 2) << "decided anew on the new term's memory";
}

TEST_F(CommitterTest, AbandonedDoubtSaysSo) {
  add(1);
  session.fail_next = Error{Errc::commit_unknown, "lost", {}, "4711"};
  EXPECT_EQ(committer.commit_batch(), Committer::Batch::lost);
  committer.abandon_doubt(Error{Errc::commit_unknown, "not known"});
  EXPECT_EQ(codes[1], Errc::commit_unknown);
  EXPECT_FALSE(committer.in_doubt());
}

}  // namespace
}  // namespace drover::engine
