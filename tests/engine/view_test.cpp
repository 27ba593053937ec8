#include "engine/one_thread.hpp"

// What the engine tells of its queues: some by name, and the sum of all others, since clients make names up.
namespace drover::engine {
namespace {

using testing::job_spec;
using Which = QueuesWanted::Which;
using Names = std::vector<std::string>;

class EngineQueues : public ::testing::Test, protected testing::OneThread {
 protected:
  void SetUp() override { lead(); }

  void add_names(int count) {
    std::vector<core::JobSpec> specs;
    for (int i = 0; i < count; ++i) specs.push_back(job_spec("one", "made-up-" + std::to_string(i)));
    taken(submit(specs));
  }
  [[nodiscard]] EngineView view(const QueuesWanted& wanted = {}) { return view_of(parts(), wanted); }
  static Names names(const EngineView& view) {
    Names out;
    for (const auto& [name, queue] : view.queues) out.push_back(name);
    return out;
  }
  static void expect(const QueueSum& sum, std::int64_t count, std::int64_t ready, std::int64_t leased) {
    EXPECT_EQ(sum.count, count);
    EXPECT_EQ(sum.ready, ready);
    EXPECT_EQ(sum.leased, leased);
  }
};

TEST_F(EngineQueues, ThoseThatPoolsServeAreNamedAndTheOthersAreASum) {
  const auto worker = add_worker("i-1", 1);
  add_jobs(3);
  add_names(1000);
  EXPECT_EQ(taken(poll(worker, "n1")).jobs.size(), 1U);
  const EngineView seen = view();
  ASSERT_EQ(names(seen), Names{"default"});
  EXPECT_EQ(seen.queues.at("default").ready, 2);
  EXPECT_EQ(seen.queues.at("default").leased, 1);
  expect(seen.other_queues, 1000, 1000, 0);
}

TEST_F(EngineQueues, TheLongestAreThoseWithTheMostJobsThatWaitOrRun) {
  const auto worker = add_worker("i-1", 4);
  add_jobs(3);
  add_jobs(2, "b");
  add_jobs(2, "c");
  add_jobs(4, "d");
  EXPECT_EQ(taken(poll(worker, "n1", 3)).jobs.size(), 3U);
  EXPECT_EQ(names(view({Which::longest, 2, {}})), (Names{"d", "default"}));
  const EngineView three = view({Which::longest, 3, {}});
  EXPECT_EQ(names(three), (Names{"b", "d", "default"})) << "of one length by name";
  expect(three.other_queues, 1, 2, 0);
  const EngineView none = view({Which::longest, 0, {}});
  EXPECT_EQ(names(none), Names{"default"}) << "a pool serves it";
  expect(none.other_queues, 3, 8, 0);
}

TEST_F(EngineQueues, AreNamedPageByPage) {
  add_jobs(1, "a");
  add_jobs(1, "b");
  add_jobs(1, "c");
  EXPECT_EQ(names(view({Which::by_name, 2, ""})), (Names{"a", "b"}));
  EXPECT_EQ(names(view({Which::by_name, 2, "b"})), Names{"c"});
  EXPECT_EQ(names(view({Which::by_name, 2, "c"})), Names{});
}

TEST_F(EngineQueues, NothingIsLeftOfThoseWhoseJobsHaveEnded) {
  const auto worker = add_worker("i-1", 1);
  const auto jobs = add_jobs(2);
  const auto claimed = taken(poll(worker, "n1")).jobs;
  ASSERT_EQ(claimed.size(), 1U);
  taken(report(worker, claimed.front()));
  taken(act(jobs[1], core::JobAction::cancel));
  EXPECT_TRUE(state().accounts.by_length().empty());
  expect(view().other_queues, 0, 0, 0);
}

TEST_F(EngineQueues, WhileTheyAreCountedThosePoolsServeAreAlwaysNamed) {
  add_worker("i-1");
  add_jobs(2, "unserved");
  counter_runs = false;
  store.end_leader();
  pass(Seconds{3});
  ASSERT_TRUE(state().accounts.counting());
  for (const Which which : {Which::served, Which::longest, Which::by_name})
    EXPECT_EQ(names(view({which, 5, ""})), Names{"default"});
  EXPECT_EQ(names(view({Which::by_name, 5, "e"})), Names{});
  counter_runs = true;
  settle();
  expect(view().other_queues, 1, 2, 0);
}

}  // namespace
}  // namespace drover::engine
