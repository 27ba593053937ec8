// What reads answer, and what administers a store, alike in every store (any_store.hpp).
#include <algorithm>

#include "any_store.hpp"

namespace drover::testing {
namespace {

using core::JobState;
using core::Outcome;

template <class Backend>
class AnyReads : public StoreCase<Backend> {
 protected:
  std::vector<std::int64_t> numbers(const ports::JobFilter& filter) {
    const auto rows = this->store_->jobs(filter);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    std::vector<std::int64_t> out;
    for (const ports::JobRow& row : *rows) out.push_back(row.number.value);
    return out;
  }
  static std::vector<std::int64_t> values(std::initializer_list<JobNumber> numbers) {
    std::vector<std::int64_t> out;
    for (const JobNumber number : numbers) out.push_back(number.value);
    return out;
  }
  void keep(const ports::OpenAttempt& open, const std::string& name) {
    this->apply(
        ports::PutArtifact{open.job, open.attempt, open.token_hash, name, 3, sha256(name), this->now_});
  }
};
TYPED_TEST_SUITE(AnyReads, Backends, BackendNames);

TYPED_TEST(AnyReads, AJobIsReadAsItWasPut) {
  ports::NewJob put = this->new_job();
  put.spec.owner = "me";
  put.spec.priority = 7;
  put.spec.resources = {0.5, 2048, 10, 2};
  put.spec.labels = {{"team", "x"}, {"empty", ""}};
  put.spec.retry = {4, 0, Seconds{60}};
  put.spec.timeout = Seconds{30};
  this->apply(ports::InsertJobs{{put}});
  const ports::JobRow row = this->job(put.number);
  EXPECT_EQ(row.id, put.id);
  EXPECT_EQ(row.state, JobState::queued);
  EXPECT_EQ(row.attempts, 0);
  EXPECT_EQ(row.spec.queue, put.spec.queue);
  EXPECT_EQ(row.spec.name, put.spec.name);
  EXPECT_EQ(row.spec.owner, put.spec.owner);
  EXPECT_EQ(row.spec.priority, put.spec.priority);
  EXPECT_EQ(row.spec.task, put.spec.task) << "to the byte";
  EXPECT_EQ(row.spec.resources, put.spec.resources);
  auto labels = row.spec.labels;
  std::sort(labels.begin(), labels.end());
  EXPECT_EQ(labels, (core::Labels{{"empty", ""}, {"team", "x"}}));
  EXPECT_EQ(row.spec.retry, put.spec.retry);
  EXPECT_EQ(row.spec.timeout, put.spec.timeout);
  EXPECT_FALSE(row.started || row.finished || row.exit_code || row.signal);
}

TYPED_TEST(AnyReads, NobodyHasANumberThatWasNotGiven) {
  EXPECT_FALSE(*this->store_->job(JobNumber{999'999}));
  EXPECT_TRUE(this->store_->attempts(JobNumber{999'999})->empty());
  EXPECT_TRUE(this->store_->artifacts(JobNumber{999'999}, "", 10)->empty());
  EXPECT_FALSE(*this->store_->artifact(JobNumber{999'999}, "out"));
  EXPECT_FALSE(*this->store_->worker("i-none"));
  EXPECT_FALSE(*this->store_->worker("999999"));
  EXPECT_FALSE(*this->store_->launch_by_token(sha256("nobody's")));
}

TYPED_TEST(AnyReads, JobsAreListedNewestFirstAndFiltersCombine) {
  const WorkerId who = this->worker("i-1");
  const auto some = this->insert_many(4);
  const JobNumber urgent = this->insert("urgent");
  const ports::OpenAttempt running = this->claim(some[1], who);
  this->end(this->claim(some[2], who), Outcome::succeeded);
  const auto by = [&](auto... sets) {
    ports::JobFilter filter;
    (sets(filter), ...);
    return this->numbers(filter);
  };
  const auto state = [](JobState wanted) { return [wanted](ports::JobFilter& to) { to.state = wanted; }; };
  const auto queue = [](const char* name) { return [name](ports::JobFilter& to) { to.queue = name; }; };
  const auto name = [](const char* wanted) { return [wanted](ports::JobFilter& to) { to.name = wanted; }; };
  const auto before = [](JobNumber number) { return [number](ports::JobFilter& to) { to.before = number; }; };
  EXPECT_EQ(by(), this->values({urgent, some[3], some[2], some[1], some[0]}));
  EXPECT_EQ(by(state(JobState::queued)), this->values({urgent, some[3], some[0]}));
  EXPECT_EQ(by(state(JobState::running)), this->values({some[1]}));
  EXPECT_EQ(by(state(JobState::succeeded)), this->values({some[2]}));
  EXPECT_EQ(by(state(JobState::queued), queue("default")), this->values({some[3], some[0]}));
  EXPECT_EQ(by(name("render"), before(some[2])), this->values({some[1], some[0]}));
  EXPECT_TRUE(by(name("another")).empty());
  ports::JobFilter page;
  page.limit = 2;
  EXPECT_EQ(this->numbers(page), this->values({urgent, some[3]}));
  EXPECT_EQ(running.attempt, 1);
}

TYPED_TEST(AnyReads, AListEndsWhereItsTasksBecomeLarge) {
  this->insert_many(3);
  ports::JobFilter page;
  page.task_bytes = 1;
  EXPECT_EQ(this->numbers(page).size(), 1U);
}

TYPED_TEST(AnyReads, AttemptsAreReadOldestFirstAndTheOpenOneLast) {
  const WorkerId who = this->worker("i-1");
  const JobNumber number = this->insert();
  this->end(this->claim(number, who), Outcome::infra);
  this->claim(number, who);
  const auto rows = *this->store_->attempts(number);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].attempt, 1);
  EXPECT_EQ(rows[0].outcome, Outcome::infra);
  EXPECT_EQ(rows[0].exit_code, 3);
  EXPECT_EQ(rows[0].instance_id, "i-1");
  EXPECT_TRUE(rows[0].ended);
  EXPECT_EQ(rows[1].attempt, 2);
  EXPECT_EQ(rows[1].worker, who);
  EXPECT_FALSE(rows[1].outcome || rows[1].ended || rows[1].exit_code);
}

TYPED_TEST(AnyReads, ArtifactsAreTheLatestOfEachNameInPages) {
  const WorkerId who = this->worker("i-1");
  const JobNumber number = this->insert();
  const ports::OpenAttempt first = this->claim(number, who);
  for (const char* name : {"c", "a", "b"}) this->keep(first, name);
  this->keep(first, std::string(ports::kCheckpointName));
  this->end(first, Outcome::infra);
  this->keep(this->claim(number, who), "b");
  const auto page = *this->store_->artifacts(number, "", 2);
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].name + std::to_string(page[0].attempt), "a1");
  EXPECT_EQ(page[1].name + std::to_string(page[1].attempt), "b2");
  EXPECT_EQ(page[1].sha256, sha256("b"));
  const auto rest = *this->store_->artifacts(number, "b", 2);
  ASSERT_EQ(rest.size(), 1U) << "the checkpoint is not listed";
  EXPECT_EQ(rest[0].name, "c");
  EXPECT_TRUE(*this->store_->artifact(number, ports::kCheckpointName));
}

TYPED_TEST(AnyReads, WorkersAreListedNewestFirstAndTheGoneOnlyWhenAskedFor) {
  const WorkerId first = this->worker("i-1");
  const WorkerId second = this->worker("i-2");
  this->apply(ports::MoveWorker{second, core::WorkerMove::gone, "it is gone", this->now_});
  const auto alive = *this->store_->workers(false, {}, 10);
  ASSERT_EQ(alive.size(), 1U);
  EXPECT_EQ(alive[0].id, first);
  EXPECT_EQ(alive[0].pool_name, "main");
  EXPECT_EQ(alive[0].slots, 4);
  EXPECT_EQ(alive[0].capacity, (core::Resources{2, 4096, 10'000, 0}));
  EXPECT_EQ(alive[0].queues, (std::vector<std::string>{"default", "urgent"}));
  const auto all = *this->store_->workers(true, {}, 10);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].id, second);
  EXPECT_EQ(all[0].state, core::WorkerState::gone);
  EXPECT_EQ(this->store_->workers(true, second, 10)->front().id, first);
  EXPECT_EQ((*this->store_->worker("i-2"))->id, second);
  EXPECT_EQ((*this->store_->worker(std::to_string(first.value)))->instance_id, "i-1");
}

TYPED_TEST(AnyReads, PoolsAndTheFleetAreReadAsTheyWerePut) {
  const auto pools = *this->store_->pools();
  ASSERT_EQ(pools.size(), 1U);
  EXPECT_EQ(pools[0].spec, this->pool_spec("main"));
  const WorkerId who = this->worker("i-1");
  const LaunchId intended = this->insert_launch("unanswered", sha256("its token"));
  const ports::FleetSnapshot fleet = *this->store_->fleet();
  ASSERT_EQ(fleet.workers.size(), 1U);
  EXPECT_EQ(fleet.workers[0].id, who);
  const auto open = std::find_if(fleet.launches.begin(), fleet.launches.end(),
                                 [&](const auto& launch) { return launch.id == intended; });
  ASSERT_NE(open, fleet.launches.end());
  EXPECT_EQ(open->state, core::LaunchState::intended);
  EXPECT_EQ(open->request.client_token, "unanswered");
  EXPECT_EQ(open->request.user_data, "#!/bin/sh\n'\"\\ @DROVER_BOOTSTRAP_TOKEN@\n");
  EXPECT_EQ((*this->store_->launch_by_token(sha256("its token")))->id, intended);
}

TYPED_TEST(AnyReads, ToAdministerItTwiceIsTheSame) {
  EXPECT_EQ(*this->store_->migrate(), 0) << "it was migrated when it was opened";
  EXPECT_TRUE(this->store_->make_partitions(this->now_).ok());
  EXPECT_TRUE(this->store_->make_partitions(this->now_).ok());
}

}  // namespace
}  // namespace drover::testing
