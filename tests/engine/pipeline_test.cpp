#include "engine/pipeline.hpp"

#include <map>

#include <gtest/gtest.h>

#include "drover/base/limits.hpp"

namespace drover::engine {
namespace {

using ports::ActOnJob;

// Orders are carried out by the test itself.
class PipelineTest : public ::testing::Test {
 protected:
  Work work(std::int64_t job, std::size_t bytes = 0) {
    auto make = [job, this]() -> Result<std::optional<ActOnJob>> {
      ++made;
      return std::optional(ActOnJob{JobNumber{job}, {}, {}, {}});
    };
    auto told = [job, this](const Result<ActOnJob::Answer>& done) {
      answered.push_back(job);
      codes[job] = done.ok() ? std::optional<Errc>() : done.error().code;
    };
    Work out = work_of<ActOnJob>(ports::key_of(JobNumber{job}), std::move(make), std::move(told));
    out.bytes = bytes;
    return out;
  }
  void add(std::int64_t job, std::size_t bytes = 0) { pipeline.add(work(job, bytes)); }

  std::vector<std::int64_t> form() {
    pipeline.begin();
    EXPECT_EQ(pipeline.fill(0), 0U);
    return send();
  }
  std::vector<std::int64_t> send() {
    changes = pipeline.send();
    std::vector<std::int64_t> out;
    for (const auto& change : changes) out.push_back(std::get<ActOnJob>(change).job.value);
    return out;
  }
  static Fate done() {
    ActOnJob::Answer answer;
    answer.changed = true;
    return ports::settled<ActOnJob>(answer);
  }
  void outcome(const Fate& fate, bool leading = true) {
    OrderDone told;
    told.fates.assign(changes.size(), fate);
    told.changes = std::move(changes);
    pipeline.outcome(told, leading);
  }

  std::vector<std::int64_t> remembered;
  Pipeline pipeline{[this](const ports::Change& change, const ports::Settled&) {
    remembered.push_back(std::get<ActOnJob>(change).job.value);
  }};
  std::vector<ports::Change> changes;
  int made = 0;
  std::vector<std::int64_t> answered;
  std::map<std::int64_t, std::optional<Errc>> codes;
};

TEST_F(PipelineTest, OneBatchTakesAllThatWaits) {
  for (int i = 1; i <= 10; ++i) add(i);
  EXPECT_EQ(form().size(), 10U);
  EXPECT_TRUE(answered.empty()) << "nobody is told before the commit";
  EXPECT_TRUE(remembered.empty());
  outcome(done());
  EXPECT_EQ(answered.size(), 10U);
  EXPECT_EQ(remembered.size(), 10U);
  EXPECT_TRUE(pipeline.idle());
}

TEST_F(PipelineTest, ABatchHoldsABoundedAmountOfText) {
  for (int i = 1; i <= 4; ++i) add(i, limits::kBatchBytes / 2);
  EXPECT_EQ(form().size(), 2U);
  outcome(done());
  add(5, 20 * limits::kBatchBytes);
  EXPECT_EQ(form().size(), 2U);
  outcome(done());
  EXPECT_EQ(form().size(), 1U) << "what is larger alone goes alone";
}

TEST_F(PipelineTest, TheSecondChangeOfAJobWaitsForTheNextBatchAndSeesTheFirst) {
  add(1);
  add(2);
  add(1);
  add(1);
  EXPECT_EQ(form(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(made, 2) << "the second change of job 1 must not be decided before the first is remembered";
  EXPECT_FALSE(pipeline.idle());
  outcome(done());
  add(1);  // must not overtake
  EXPECT_EQ(form(), (std::vector<std::int64_t>{1}));
  outcome(done());
  EXPECT_EQ(form(), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(pipeline.waiting(), 1U);
}

TEST_F(PipelineTest, WhatWasPutOffIsOvertakenByNoneOfItsKeys) {
  add(1);
  Work both = work(2);
  both.keys.push_back(ports::key_of(JobNumber{1}).front());
  pipeline.add(std::move(both));
  add(2);  // was asked for after the change of both
  EXPECT_EQ(form(), (std::vector<std::int64_t>{1}));
  outcome(done());
  EXPECT_EQ(form(), (std::vector<std::int64_t>{2}));
  EXPECT_EQ(pipeline.waiting(), 1U);
}

TEST_F(PipelineTest, WhatIsOfferedGoesWithThisBatchOrNotAtAll) {
  add(1);
  add(1);
  EXPECT_EQ(form().size(), 1U);
  outcome(done());
  pipeline.begin();  // takes the second change of job 1
  EXPECT_FALSE(pipeline.is_full());
  EXPECT_FALSE(pipeline.offer(work(1)));
  EXPECT_TRUE(pipeline.offer(work(2)));
  EXPECT_FALSE(pipeline.offer(work(2)));
  EXPECT_EQ(pipeline.fill(0), 0U);
  EXPECT_EQ(send(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(made, 3);
  outcome(InDoubt{}, true);
  pipeline.resolved({false, {}});
  EXPECT_EQ(codes[2], Errc::unavailable) << "the offer was for that batch";
  EXPECT_EQ(form(), (std::vector<std::int64_t>{1}));
}

TEST_F(PipelineTest, ToAFullBatchNothingMoreIsOffered) {
  pipeline.begin();
  for (std::size_t i = 0; i < limits::kBatchChanges; ++i) {
    ASSERT_FALSE(pipeline.is_full()) << i;
    ASSERT_TRUE(pipeline.offer(work(static_cast<std::int64_t>(i))));
  }
  EXPECT_TRUE(pipeline.is_full());
  EXPECT_FALSE(pipeline.offer(work(1'000'000)));
  EXPECT_EQ(send().size(), limits::kBatchChanges);
  outcome(done());
  pipeline.begin();
  EXPECT_FALSE(pipeline.is_full());
}

TEST_F(PipelineTest, LanesGoInTheirOrder) {
  Work submission = work(1);
  submission.lane = ports::Lane::submissions;
  Work operators = work(2);
  operators.lane = ports::Lane::operators;
  Work worker = work(3);
  worker.lane = ports::Lane::workers;
  Work system = work(4);
  system.lane = ports::Lane::system;
  for (Work* one : {&submission, &operators, &worker, &system}) pipeline.add(std::move(*one));
  EXPECT_EQ(form(), (std::vector<std::int64_t>{3, 4, 2, 1}));
}

TEST_F(PipelineTest, ASubmissionWaitsForNumbers) {
  Work first = work(1);
  first.lane = ports::Lane::submissions;
  first.numbers = 3;
  Work second = work(2);
  second.lane = ports::Lane::submissions;
  second.numbers = 4;
  pipeline.add(std::move(first));
  pipeline.add(std::move(second));
  pipeline.begin();
  EXPECT_EQ(pipeline.fill(5), 2U) << "the second lacks two";
  EXPECT_EQ(send(), (std::vector<std::int64_t>{1}));
}

TEST_F(PipelineTest, ALostSessionAnswersUnavailableAndRemembersNothing) {
  add(1);
  form();
  outcome(Error{Errc::unavailable, "gone"});
  EXPECT_EQ(codes[1], Errc::unavailable);
  EXPECT_TRUE(remembered.empty());
  EXPECT_FALSE(pipeline.in_doubt());
}

TEST_F(PipelineTest, InDoubtAndCommittedIsAnsweredOnceAsDone) {
  add(1);
  form();
  outcome(InDoubt{});
  EXPECT_TRUE(answered.empty()) << "nobody may be told before it is known";
  pipeline.refuse_all(Error{Errc::unavailable, "lost"});
  EXPECT_TRUE(answered.empty());
  pipeline.resolved({true, {std::get<ports::Settled>(done())}});
  EXPECT_EQ(codes[1], std::nullopt);
  EXPECT_EQ(answered.size(), 1U);
  EXPECT_TRUE(remembered.empty()) << "the next term reads the store";
}

TEST_F(PipelineTest, InDoubtAndAbortedRunsAgainInTheNextTerm) {
  add(1);
  form();
  outcome(InDoubt{});
  pipeline.refuse_all(Error{Errc::unavailable, "lost"});
  pipeline.resolved({false, {}});
  EXPECT_TRUE(answered.empty());
  EXPECT_EQ(form(), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(made, 2) << "decided anew on the new term's memory";
  outcome(done());
  EXPECT_EQ(codes[1], std::nullopt);
}

TEST_F(PipelineTest, AbandonedDoubtSaysSo) {
  add(1);
  form();
  outcome(InDoubt{});
  pipeline.abandon_doubt(Error{Errc::commit_unknown, "not known"});
  EXPECT_EQ(codes[1], Errc::commit_unknown);
  EXPECT_FALSE(pipeline.in_doubt());
  pipeline.resolved({true, {std::get<ports::Settled>(done())}});
  EXPECT_EQ(answered.size(), 1U);
}

}  // namespace
}  // namespace drover::engine
