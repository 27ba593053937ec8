#include "engine/one_thread.hpp"

// Ready keys are read beside the batches, what others may see is shown, and tables are asked for.
namespace drover::engine {
namespace {

using testing::job_spec;

class Reading : public ::testing::Test, protected testing::OneThread {
 protected:
  void SetUp() override {
    lead();
    worker_ = add_worker("i-1", 4);
    add_jobs(3);
  }

  // Until the keys of the queue are asked for anew; nobody answers yet.
  void want_anew() {
    parts().to_rescan.insert("default");
    round();
    ASSERT_EQ(keys_wanted.size(), 2U);
  }
  // Answers all that was asked with this.
  void answer(const Result<ports::ReadyAnswer>& given) {
    while (!keys_wanted.empty()) {
      inbox.tell(KeysRead{keys_wanted.front(), given});
      keys_wanted.pop_front();
    }
    round();
  }
  [[nodiscard]] std::int64_t in_memory() { return state().waiting_in_memory("default"); }

  WorkerAuth worker_;
};

TEST_F(Reading, AnAnswerOfAServerWithAnotherLeaderIsNotBelieved) {
  want_anew();
  answer(ports::ReadyAnswer{{}, state().epoch + 1});
  EXPECT_EQ(in_memory(), 3) << "that there are none is not believed";
}

TEST_F(Reading, AQueueThatCouldNotBeReadIsReadAfterAPause) {
  want_anew();
  answer(Error{Errc::unavailable, "too many clients"});
  EXPECT_EQ(in_memory(), 3);
  EXPECT_TRUE(keys_wanted.empty()) << "not at once";
  EXPECT_LE(loop.due(), clock.steady() + Seconds{1});
  clock.pass(Seconds{1});
  round();
  EXPECT_EQ(keys_wanted.size(), 2U);
}

TEST_F(Reading, AQueueOfWhichMemoryHoldsNothingIsReadAgainToo) {
  state().restart("default");
  const auto polled = poll(worker_, "n1", 4, Seconds{20});
  round();
  ASSERT_EQ(keys_wanted.size(), 2U);
  answer(Error{Errc::unavailable, "too many clients"});
  clock.pass(Seconds{1});
  EXPECT_EQ(taken(polled).jobs.size(), 3U);
}

TEST_F(Reading, AJobThatIsHeldWhileItsQueueIsReadDoesNotComeBack) {
  const JobNumber held = add_jobs(1).front();
  want_anew();
  const ports::ReadyAnswer before = *store.ready(keys_wanted.back().question);
  ASSERT_EQ(before.keys.size(), 4U);
  auto acted = act(held, core::JobAction::hold);
  round();
  write();
  inbox.tell(KeysRead{keys_wanted.back(), before});
  keys_wanted.pop_back();
  round();
  EXPECT_TRUE(*acted && (*acted)->ok());
  EXPECT_EQ(in_memory(), 3);
}

TEST_F(Reading, TheAnswerIsTakenOverBetweenTwoBatches) {
  want_anew();
  const auto submitted = submit({job_spec("one")});
  round();
  ASSERT_TRUE(order) << "a batch is under way";
  answer(ports::ReadyAnswer{{}, state().epoch});
  EXPECT_EQ(in_memory(), 3) << "not yet";
  settle();
  EXPECT_EQ(in_memory(), 1) << "what was committed since, and no more";
}

TEST_F(Reading, WhatIsPausedShowsBeforeAnybodyIsTold) {
  round();
  const auto paused = apply(ports::SetPaused{true, clock.wall()});
  round();
  write();
  EXPECT_FALSE(shown.paused);
  round();
  EXPECT_TRUE(*paused);
  EXPECT_TRUE(shown.paused);
}

TEST_F(Reading, FiguresAreShownTenTimesASecond) {
  clock.pass(Millis{100});
  round();
  ASSERT_EQ(shown.queues.at("default").ready, 3);
  add_jobs(1);
  EXPECT_EQ(shown.queues.at("default").ready, 3);
  EXPECT_LE(loop.due(), clock.steady() + Millis{100}) << "without another call";
  clock.pass(Millis{100});
  round();
  EXPECT_EQ(shown.queues.at("default").ready, 4);
}

TEST_F(Reading, TablesAreAskedForEveryHour) {
  EXPECT_EQ(tables_wanted, 0);
  pass(Seconds{3601});
  EXPECT_EQ(tables_wanted, 1);
}

}  // namespace
}  // namespace drover::engine
