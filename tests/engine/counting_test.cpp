#include "engine/one_thread.hpp"

// At the beginning of a term nobody knows how many jobs are ready; a daemon that leads does not wait for the
// count.
namespace drover::engine {
namespace {

using testing::job_spec;

class EngineCounting : public ::testing::Test, protected testing::OneThread {
 protected:
  void SetUp() override { lead(); }

  // Another term, whose count does not come before this test lets it.
  void begin_new_term() {
    counter_runs = false;
    store.end_leader();
    pass(Seconds{3});
    ASSERT_TRUE(parts().term.leading());
    ASSERT_TRUE(state().accounts.counting());
  }
  void let_count() {
    counter_runs = true;
    settle();
  }
  [[nodiscard]] EngineView view() { return view_of(parts()); }
};

TEST_F(EngineCounting, JobsAreClaimedBeforeTheyAreCounted) {
  const auto worker = add_worker("i-1", 2);
  add_jobs(3);
  begin_new_term();
  EXPECT_TRUE(view().counting);
  EXPECT_EQ(view().queues.at("default").ready, 3) << "those in memory";
  EXPECT_EQ(taken(poll(worker, "n1", 2)).jobs.size(), 2U);
  EXPECT_TRUE(state().accounts.counting());
  let_count();
  EXPECT_FALSE(view().counting);
  EXPECT_EQ(state().accounts.of("default").ready, 1);
  EXPECT_EQ(state().accounts.of("default").leased, 2);
}

TEST_F(EngineCounting, WhatHappensWhileTheStoreCountsIsInTheSum) {
  const auto worker = add_worker("i-1", 4);
  add_jobs(5);
  begin_new_term();
  add_jobs(1);  // before the count begins
  count();      // connected
  settle();     // begun
  ASSERT_TRUE(counts);
  add_jobs(2);
  EXPECT_EQ(taken(poll(worker, "n1", 4)).jobs.size(), 4U);
  let_count();
  EXPECT_EQ(state().accounts.of("default").ready, 4);
  EXPECT_EQ(state().waiting_in_memory("default"), 4);
}

TEST_F(EngineCounting, AQueueThatNobodyServesIsCountedTooAndItsJobsAreFoundWhenSomebodyDoes) {
  taken(submit({job_spec("one", "forgotten"), job_spec("two", "forgotten")}));
  begin_new_term();
  EXPECT_FALSE(view().queues.contains("forgotten"));
  taken(submit({job_spec("three", "forgotten")}));
  let_count();
  EXPECT_EQ(view().other_queues.ready, 3);
  const auto worker = add_worker("i-1", 4, "forgotten");
  EXPECT_EQ(taken(poll(worker, "n1", 4)).jobs.size(), 3U);
}

TEST_F(EngineCounting, AJobOfAQueueServedSinceIsClaimedBeforeItIsCounted) {
  taken(submit({job_spec("one", "forgotten")}));
  begin_new_term();
  const auto worker = add_worker("i-1", 4, "forgotten");
  EXPECT_EQ(taken(poll(worker, "n1", 4)).jobs.size(), 1U);
  let_count();
  EXPECT_EQ(state().accounts.of("forgotten").ready, 0);
  EXPECT_EQ(state().accounts.of("forgotten").leased, 1);
}

TEST_F(EngineCounting, ACountOfAnEarlierTermIsNotTaken) {
  add_jobs(2);
  begin_new_term();
  count();
  settle();
  ASSERT_TRUE(counts);
  const std::int64_t first = counting_of;
  const auto late = std::shared_ptr<ports::DepthCount>(std::move(counting));
  begin_new_term();
  count();
  settle();
  ASSERT_TRUE(counts) << "that of this term has begun";
  inbox.tell(Counted{first, late->result()});
  settle();
  EXPECT_TRUE(state().accounts.counting());
  let_count();
  EXPECT_EQ(state().accounts.of("default").ready, 2);
}

TEST_F(EngineCounting, ACountThatIsToldBeforeTheOrderThatBeganItIsTaken) {
  add_jobs(2);
  begin_new_term();
  quick_count = true;
  count();
  settle();
  EXPECT_FALSE(state().accounts.counting());
  EXPECT_EQ(state().accounts.of("default").ready, 2);
}

TEST_F(EngineCounting, ACountThatFailedIsTriedAgain) {
  add_jobs(2);
  begin_new_term();
  count();
  settle();
  ASSERT_TRUE(counts);
  counting->cancel();
  count();
  settle();
  EXPECT_TRUE(state().accounts.counting());
  counter_runs = true;
  pass(Seconds{6});
  EXPECT_FALSE(state().accounts.counting());
  EXPECT_EQ(state().accounts.of("default").ready, 2);
}

}  // namespace
}  // namespace drover::engine
