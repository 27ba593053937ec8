// The services over the real engine, the store in memory and a directory: what they allow, complete and
// refuse, whoever's door the call came through.
#include "drover/services/services.hpp"

#include <filesystem>
#include <future>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "drover/artifacts/directory_store.hpp"
#include "drover/base/limits.hpp"
#include "drover/memstore/mem_store.hpp"

#include "job_spec.hpp"
#include "no_metrics.hpp"
#include "patience.hpp"

namespace drover::services {
namespace {

using testing::job_spec;

core::PoolSpec pool_spec(const std::string& name, int max = 5) {
  core::PoolSpec spec;
  spec.name = name;
  spec.provider = core::Provider::none;
  spec.max = max;
  return spec;
}

class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest() {
    engine.start();
    // Before the jobs have been counted not every queue with a job has a name.
    EXPECT_TRUE(eventually([this] { return engine.shown()->leading && !engine.shown()->counting; }));
  }
  ~ServicesTest() override { engine.stop(); }
  ServicesTest(const ServicesTest&) = delete;
  ServicesTest& operator=(const ServicesTest&) = delete;

  // What a call is answered, on whatever thread it is told.
  template <class T, class Call>
  static Result<T> answer(Call call) {
    auto told = std::make_shared<std::promise<Result<T>>>();
    auto future = told->get_future();
    call([told](Result<T> result) { told->set_value(std::move(result)); });
    if (future.wait_for(kPatience) == std::future_status::ready) return future.get();
    ADD_FAILURE() << "no answer";
    return Error{Errc::timeout, "no answer"};
  }
  Result<std::vector<ports::JobRow>> submit(std::vector<core::JobSpec> jobs,
                                            const Principal& who = Operator{}) {
    return answer<std::vector<ports::JobRow>>(
        [&](auto done) { all.jobs->submit(who, std::move(jobs), std::move(done)); });
  }
  // A job that leaves to the tunables how often it may fail.
  static core::JobSpec unsaid(const std::string& name) {
    core::JobSpec job = job_spec(name);
    job.retry.max_attempts = core::kUnsaidAttempts;
    return job;
  }
  ports::JobRow job() { return submit({unsaid("one")})->front(); }
  Result<PoolPut> put(const core::PoolSpec& spec, const Match& match = {}) {
    return answer<PoolPut>([&](auto done) { all.pools->put(Operator{}, spec, match, std::move(done)); });
  }
  Result<PoolPut> edit(const std::string& name, const Match& match, const Pools::Edit& edit) {
    return answer<PoolPut>(
        [&](auto done) { all.pools->edit(Operator{}, name, match, edit, std::move(done)); });
  }
  Result<TunablesPut> put_tunables(std::map<std::string, std::string> values) {
    return answer<TunablesPut>(
        [&](auto done) { all.scheduler->put_tunables(Operator{}, std::move(values), std::move(done)); });
  }

  struct Directory {
    Directory() { EXPECT_NE(::mkdtemp(path.data()), nullptr); }
    ~Directory() { std::filesystem::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string path = "/tmp/drover-services-XXXXXX";
  } directory;
  SystemClock clock;
  drover::testing::NoMetrics metrics;
  memstore::MemStore store;
  std::unique_ptr<artifacts::DirectoryStore> files =
      std::move(*artifacts::DirectoryStore::open(directory.path));
  engine::QueueEngine engine{store, clock, metrics, {}};
  std::string unready;
  Services all = make_services(
      {.engine = engine, .reads = store, .artifacts = *files, .clock = clock, .unready = [this] {
         return unready;
       }});
};

// ---- who may

TEST_F(ServicesTest, WorkersAndAttemptsOperateNothing) {
  const engine::WorkerAuth worker{WorkerId{1}, Secret("x")};
  const JobKey key{job().number, {}};
  for (const Principal& who : {Principal(worker), Principal(Attempt{worker, {key.number, 1, Secret("y")}})}) {
    EXPECT_EQ(submit({job_spec("theirs")}, who).error().code, Errc::forbidden);
    EXPECT_EQ(all.jobs->get(who, key).error().code, Errc::forbidden);
    EXPECT_EQ(all.jobs->list(who, {}).error().code, Errc::forbidden);
    EXPECT_EQ(all.jobs->attempts(who, key).error().code, Errc::forbidden);
    EXPECT_EQ(all.jobs->log(who, key, "stdout", {}).error().code, Errc::forbidden);
    EXPECT_EQ(all.jobs->logs(who, key, "stdout").error().code, Errc::forbidden);
    EXPECT_EQ(all.jobs->artifacts(who, key, "", 10).error().code, Errc::forbidden);
    EXPECT_EQ(all.jobs->file(who, key, "a").error().code, Errc::forbidden);
    const auto cancel = [&](auto done) { all.jobs->act(who, key, core::JobAction::cancel, std::move(done)); };
    EXPECT_EQ(answer<engine::ActAnswer>(cancel).error().code, Errc::forbidden);
    const auto look = [&](auto done) { all.explain->look(who, key, std::move(done)); };
    EXPECT_EQ(answer<ExplainInput>(look).error().code, Errc::forbidden);
    EXPECT_EQ(all.pools->list(who).error().code, Errc::forbidden);
    EXPECT_EQ(all.pools->get(who, "p").error().code, Errc::forbidden);
    const auto create = [&](auto done) { all.pools->create(who, pool_spec("p"), std::move(done)); };
    EXPECT_EQ(answer<PoolPut>(create).error().code, Errc::forbidden);
    const auto replace = [&](auto done) { all.pools->put(who, pool_spec("p"), {}, std::move(done)); };
    EXPECT_EQ(answer<PoolPut>(replace).error().code, Errc::forbidden);
    EXPECT_EQ(all.workers->list(who, {}).error().code, Errc::forbidden);
    EXPECT_EQ(all.workers->get(who, "1").error().code, Errc::forbidden);
    const auto drain = [&](auto done) {
      all.workers->move(who, "1", core::WorkerMove::drain, std::move(done));
    };
    EXPECT_EQ(answer<ports::MoveWorker::Answer>(drain).error().code, Errc::forbidden);
    EXPECT_EQ(all.scheduler->tunables(who).error().code, Errc::forbidden);
    EXPECT_EQ(all.scheduler->paused(who).error().code, Errc::forbidden);
    const auto pause = [&](auto done) { all.scheduler->pause(who, true, std::move(done)); };
    EXPECT_EQ(answer<Ok>(pause).error().code, Errc::forbidden);
    const auto set = [&](auto done) { all.scheduler->put_tunables(who, {}, std::move(done)); };
    EXPECT_EQ(answer<TunablesPut>(set).error().code, Errc::forbidden);
    const auto queues = [&](auto done) { all.scheduler->queues(who, "", 1, std::move(done)); };
    EXPECT_EQ(answer<QueuePage>(queues).error().code, Errc::forbidden);
  }
  EXPECT_EQ(all.jobs->list(System{}, {})->size(), 1U);
  EXPECT_FALSE(*all.scheduler->paused(Operator{}));
}

// ---- jobs

TEST_F(ServicesTest, AJobGetsTheTunableThatHoldsWhenItIsSubmitted) {
  EXPECT_EQ(submit({unsaid("a")})->front().spec.retry.max_attempts, core::Tunables{}.default_max_attempts);
  ASSERT_TRUE(put_tunables({{"default_max_attempts", "7"}}).ok());
  core::JobSpec said = job_spec("c");
  said.retry.max_attempts = 2;
  const auto rows = submit({unsaid("b"), said});
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ((*rows)[0].spec.retry.max_attempts, 7);
  EXPECT_EQ((*rows)[1].spec.retry.max_attempts, 2);
  EXPECT_EQ(all.jobs->get(Operator{}, {(*rows)[0].number, {}})->spec.retry.max_attempts, 7);
}

TEST_F(ServicesTest, ASubmissionIsAnsweredAsItIsStored) {
  const ports::JobRow made = job();
  const ports::JobRow read = *all.jobs->get(Operator{}, {made.number, made.id});
  EXPECT_EQ(read.spec.name, "one");
  EXPECT_EQ(read.state, made.state);
  EXPECT_EQ(read.created, made.created);
}

TEST_F(ServicesTest, ANumberOfJobsIsBounded) {
  EXPECT_EQ(submit({}).error().code, Errc::invalid);
  std::vector<core::JobSpec> many(limits::kJobsPerRequest + 1, job_spec("x"));
  EXPECT_EQ(submit(many).error().code, Errc::too_large);
  many.pop_back();
  EXPECT_EQ(submit(many)->size(), limits::kJobsPerRequest);
}

TEST_F(ServicesTest, AJobOfAnotherIdIsNotTheOneThatWasNamed) {
  const ports::JobRow made = job();
  const JobKey other{made.number, make_job_id(made.number, made.created, 99)};
  ASSERT_NE(*other.id, made.id);
  EXPECT_EQ(all.jobs->get(Operator{}, other).error().message, "there is no job " + to_string(*other.id));
  const auto cancel = [&](auto done) {
    all.jobs->act(Operator{}, other, core::JobAction::cancel, std::move(done));
  };
  EXPECT_EQ(answer<engine::ActAnswer>(cancel).error().code, Errc::not_found);
  EXPECT_EQ(all.jobs->get(Operator{}, {made.number, {}})->state, core::JobState::queued);
}

TEST_F(ServicesTest, WhatAJobHasNotIsSaidOfIt) {
  const JobKey key{job().number, {}};
  const std::string name = "job " + std::to_string(key.number.value);
  EXPECT_EQ(all.jobs->log(Operator{}, key, "stdout", {}).error().message, name + " has not run yet");
  EXPECT_EQ(all.jobs->log(Operator{}, key, "stdout", 3).error().message, name + " has no attempt 3");
  EXPECT_EQ(all.jobs->file(Operator{}, key, "a").error().message, name + " has no artifact a");
  EXPECT_EQ(all.jobs->file(Operator{}, key, std::string(ports::kCheckpointName)).error().message,
            name + " has no checkpoint");
  EXPECT_EQ(all.jobs->get(Operator{}, {JobNumber{9999}, {}}).error().code, Errc::not_found);
}

TEST_F(ServicesTest, AQueuedJobIsExplainedByItsPlaceAndThePools) {
  job();
  const ports::JobRow second = job();
  const auto look = [&](auto done) { all.explain->look(Operator{}, {second.number, {}}, std::move(done)); };
  const Result<ExplainInput> input = answer<ExplainInput>(look);
  ASSERT_TRUE(input.ok());
  ASSERT_TRUE(input->place.has_value());
  EXPECT_EQ(input->place->ahead, 1);
  EXPECT_EQ(explain_job(*input).reasons.front().code, "no_pool");
}

// ---- pools

TEST_F(ServicesTest, TwoWhoPutANewPoolAtOnceBothGetTheirWay) {
  std::vector<std::future<Result<PoolPut>>> answers;
  for (const int max : {2, 3}) {
    const auto told = std::make_shared<std::promise<Result<PoolPut>>>();
    answers.push_back(told->get_future());
    all.pools->put(Operator{}, pool_spec("both", max), {},
                   [told](Result<PoolPut> put) { told->set_value(std::move(put)); });
  }
  int made = 0;
  for (auto& answer : answers) {
    ASSERT_EQ(answer.wait_for(kPatience), std::future_status::ready);
    const Result<PoolPut> put = answer.get();
    ASSERT_TRUE(put.ok()) << put.error().message;
    made += put->made ? 1 : 0;
  }
  EXPECT_EQ(made, 1);
}

TEST_F(ServicesTest, APoolIsMadeOrReplacedByPut) {
  EXPECT_TRUE(put(pool_spec("p"))->made);
  const Result<PoolPut> again = put(pool_spec("p", 9));
  EXPECT_FALSE(again->made);
  EXPECT_EQ(again->pool.spec.max, 9);
  const auto create = [&](auto done) { all.pools->create(Operator{}, pool_spec("p"), std::move(done)); };
  EXPECT_EQ(answer<PoolPut>(create).error().code, Errc::conflict);
  EXPECT_EQ(all.pools->list(Operator{})->size(), 1U);
}

TEST_F(ServicesTest, AnEditOfAnotherVersionIsRefused) {
  const std::int64_t version = put(pool_spec("p"))->pool.version;
  const auto unchanged = [](const core::PoolSpec& present) { return Result<core::PoolSpec>(present); };
  const Match other{true, false, {version + 1, version + 2}};
  EXPECT_EQ(put(pool_spec("p", 9), other).error().code, Errc::precondition_failed);
  EXPECT_EQ(edit("p", other, unchanged).error().code, Errc::precondition_failed);
  EXPECT_EQ(edit("nowhere", {true, true, {}}, unchanged).error().code, Errc::precondition_failed);
  EXPECT_EQ(put(pool_spec("nowhere"), {true, true, {}}).error().code, Errc::precondition_failed);
  EXPECT_EQ(edit("nowhere", {}, unchanged).error().code, Errc::not_found);
  EXPECT_EQ(all.pools->get(Operator{}, "p")->version, version);
  EXPECT_EQ(put(pool_spec("p", 9), {true, false, {version + 1, version}})->pool.spec.max, 9);
  EXPECT_TRUE(edit("p", {true, true, {}}, unchanged).ok());
}

// A version that was named is looked at before what is wrong with the edit.
TEST_F(ServicesTest, AnEditThatIsWrongChangesNothing) {
  const std::int64_t version = put(pool_spec("p"))->pool.version;
  const auto wrong = [](const core::PoolSpec&) { return Result<core::PoolSpec>(invalid("max", "wrong")); };
  EXPECT_EQ(edit("p", {}, wrong).error().code, Errc::invalid);
  EXPECT_EQ(edit("p", {true, false, {version + 1}}, wrong).error().code, Errc::precondition_failed);
  EXPECT_EQ(all.pools->get(Operator{}, "p")->version, version);
}

TEST_F(ServicesTest, AnEditThatWasOvertakenIsNotLostUponTheOther) {
  ASSERT_TRUE(put(pool_spec("p")).ok());
  for (const bool asked : {false, true}) {
    const auto late = [&](core::PoolSpec present) {
      EXPECT_TRUE(put(pool_spec("p", present.max + 100)).ok());  // somebody else is faster
      present.max = 1;
      return Result<core::PoolSpec>(present);
    };
    const Result<PoolPut> overtaken = edit("p", {asked, asked, {}}, late);
    EXPECT_EQ(overtaken.error().code, asked ? Errc::precondition_failed : Errc::conflict);
  }
  EXPECT_EQ(all.pools->get(Operator{}, "p")->spec.max, 205);
}

// ---- workers

TEST_F(ServicesTest, AMachineIsKnownByTheTokenOfItsLaunch) {
  EXPECT_EQ(all.workers->admit_machine("nobody's").error().code, Errc::unauthenticated);
  EXPECT_EQ(all.workers->admit(Worker{WorkerId{1}, Secret("x")}).error().code, Errc::unauthenticated);
  EXPECT_EQ(all.workers->get(Operator{}, "i-1").error().message, "there is no worker i-1");
  EXPECT_TRUE(all.workers->list(Operator{}, {})->workers.empty());
}

TEST_F(ServicesTest, AFileThatCannotBeKeptHasNoRow) {
  const Attempt nobody{{WorkerId{1}, Secret("x")}, {JobNumber{1}, 1, Secret("y")}};
  const auto keep = [&](auto done) {
    all.workers->keep_file(nobody, "a", directory.path + "/no such file", 1, std::move(done));
  };
  EXPECT_FALSE(answer<Sha256>(keep).ok());
  const auto admit = [&](auto done) { all.workers->admit(nobody, std::move(done)); };
  EXPECT_EQ(answer<ports::OpenAttempt>(admit).error().code, Errc::stale);
}

// ---- the scheduler

TEST_F(ServicesTest, TunablesChangeTogetherOrNotAtAll) {
  const core::Tunables before = *all.scheduler->tunables(Operator{});
  const Result<TunablesPut> same = put_tunables({});
  EXPECT_EQ(core::tunable_values(same->before), core::tunable_values(same->after));
  const Result<TunablesPut> put = put_tunables({{"lease_s", "45"}});
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(put->before.lease_s, before.lease_s);
  EXPECT_EQ(put->after.lease_s, 45);
  EXPECT_FALSE(put_tunables({{"lease_s", "50"}, {"heartbeat_interval_s", "60"}}).ok());
  EXPECT_EQ(all.scheduler->tunables(Operator{})->lease_s, 45);
}

TEST_F(ServicesTest, APauseIsSeenByWhoeverAsksAfterItsAnswer) {
  for (const bool paused : {true, false, false}) {
    const auto set = [&](auto done) { all.scheduler->pause(Operator{}, paused, std::move(done)); };
    ASSERT_TRUE(answer<Ok>(set).ok());
    EXPECT_EQ(*all.scheduler->paused(Operator{}), paused);
  }
}

TEST_F(ServicesTest, QueuesComeByNameAndInPages) {
  for (const char* queue : {"b", "a", "d", "c"}) ASSERT_TRUE(submit({job_spec("x", queue)}).ok());
  std::vector<std::string> names;
  std::string after;
  for (int pages = 1;; ++pages) {
    const auto ask = [&](auto done) { all.scheduler->queues(Operator{}, after, 3, std::move(done)); };
    const Result<QueuePage> page = answer<QueuePage>(ask);
    ASSERT_TRUE(page.ok());
    for (const auto& [name, queue] : page->queues) names.push_back(name);
    if (!page->more) break;
    ASSERT_EQ(page->queues.size(), 3U);
    ASSERT_LT(pages, 5);
    after = names.back();
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(ServicesTest, CapacityIsGivenUpWhenNobodyWaits) {
  EXPECT_FALSE(all.scheduler->capacity(*all.scheduler->view(), [] { return true; }));
  const auto capacity = all.scheduler->capacity(*all.scheduler->view(), [] { return false; });
  ASSERT_TRUE(capacity.has_value());
  EXPECT_EQ(capacity->total.cpus, 0);
}

TEST_F(ServicesTest, AStandbyAnswersWhatItDoesNotKnowWith503) {
  EXPECT_EQ(all.scheduler->unready(), "");
  unready = "a pool is missing";
  EXPECT_EQ(all.scheduler->unready(), "a pool is missing");
  engine.stop();
  for (const Error& error :
       {all.scheduler->tunables(Operator{}).error(), all.scheduler->paused(Operator{}).error(),
        submit({job_spec("x")}).error(), put_tunables({{"lease_s", "45"}}).error()}) {
    EXPECT_EQ(error.code, Errc::unavailable);
    EXPECT_GT(error.retry_after_s, 0);
  }
  EXPECT_NE(all.scheduler->unready(), "a pool is missing");
  EXPECT_FALSE(all.scheduler->unready().empty());
}

}  // namespace
}  // namespace drover::services
