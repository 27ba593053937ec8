// The engine on a real PostgreSQL: what it answers must be what is stored, whatever happens to the
// connection.
#include <atomic>
#include <set>
#include <thread>

#include "drover/base/text.hpp"

#include "engine_fixture.hpp"
#include "patience.hpp"

namespace drover::testing {
namespace {

TEST_F(EngineTest, AJobGoesFromSubmitOverClaimToItsEnd) {
  const auto submitted = submit({job_spec("one"), job_spec("two")});
  ASSERT_TRUE(submitted.ok());
  const auto worker = add_worker("i-0001");
  const auto claimed = claim(worker, "n1", 2);
  ASSERT_TRUE(claimed.ok()) << claimed.error().message;
  ASSERT_EQ(claimed->jobs.size(), 2U);
  EXPECT_EQ(claimed->jobs[0].attempt.name, "one") << "older first";
  const auto running = store_->job(submitted->front().number);
  ASSERT_TRUE(running.ok() && *running);
  EXPECT_EQ((*running)->state, core::JobState::running);
  EXPECT_EQ((*running)->worker, "i-0001");
  const auto ended = report(worker, claimed->jobs[0]);
  ASSERT_TRUE(ended.ok()) << ended.error().message;
  EXPECT_EQ(ended->state, core::JobState::succeeded);
  EXPECT_FALSE(ended->repeated);
  const auto again = report(worker, claimed->jobs[0]);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->repeated);
  const auto other = report(worker, claimed->jobs[0], core::Outcome::failure);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, Errc::stale);
}

// The difference between now and the year 9999 is more than a steady clock's nanoseconds hold.
TEST_F(EngineTest, AJobOfTheFarFutureIsSleptForNotSpunFor) {
  auto far = job_spec("far");
  far.run_at = *parse_rfc3339("9999-12-31T23:59:59Z");
  ASSERT_TRUE(submit({far}).ok());
  const std::int64_t before = clock_.asked();
  std::this_thread::sleep_for(Seconds{1});  // what is measured: how often an idle engine wakes up
  EXPECT_LT(clock_.asked() - before, 1000);
  ASSERT_TRUE(submit({job_spec("near")}).ok());
  const auto claimed = claim(add_worker("i-0001"), "n1", 2);
  ASSERT_TRUE(claimed.ok());
  EXPECT_EQ(claimed->jobs.size(), 1U);
}

TEST_F(EngineTest, ARepeatedClaimGivesTheSameAttempts) {
  ASSERT_TRUE(submit({job_spec("one"), job_spec("two"), job_spec("three")}).ok());
  const auto worker = add_worker("i-0001");
  const auto first = claim(worker, "n1", 2);
  const auto again = claim(worker, "n1", 2);
  ASSERT_TRUE(first.ok() && again.ok());
  ASSERT_EQ(again->jobs.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(again->jobs[i].attempt.job, first->jobs[i].attempt.job);
    EXPECT_EQ(again->jobs[i].token.reveal(), first->jobs[i].token.reveal());
  }
  const auto next = claim(worker, "n2", 2);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->jobs.size(), 1U);
}

TEST_F(EngineTest, ARepeatedClaimHasAFullTerm) {
  ASSERT_TRUE(submit({job_spec("one"), job_spec("two")}).ok());
  const auto repeats = add_worker("i-0001", 1);
  const auto silent = add_worker("i-0002", 1);
  const auto first = claim(repeats, "n1", 1);
  const auto second = claim(silent, "n1", 1);
  ASSERT_EQ(first->jobs.size() + second->jobs.size(), 2U);
  pass(Seconds{50});
  ASSERT_EQ(claim(repeats, "n1", 1)->jobs.size(), 1U);
  pass(Seconds{20});
  const auto state = [&](const auto& claimed) { return (*store_->job(claimed->jobs[0].attempt.job))->state; };
  ASSERT_TRUE(eventually([&] { return state(second) == core::JobState::queued; }))
      << "its lease of 60 s is over";
  EXPECT_EQ(state(first), core::JobState::running);
}

TEST_F(EngineTest, PriorityThenAgeAcrossQueuesAndSlotsBoundAClaim) {
  auto urgent = job_spec("urgent");
  urgent.priority = 5;
  ASSERT_TRUE(submit({job_spec("a"), job_spec("b"), urgent}).ok());
  const auto worker = add_worker("i-0001", 2);
  const auto claimed = claim(worker, "n1", 10);
  ASSERT_TRUE(claimed.ok());
  ASSERT_EQ(claimed->jobs.size(), 2U) << "two slots, two jobs";
  EXPECT_EQ(claimed->jobs[0].attempt.name, "urgent");
  EXPECT_EQ(claimed->jobs[1].attempt.name, "a");
}

TEST_F(EngineTest, AWaitingClaimIsAnsweredWhenAJobComes) {
  const auto worker = add_worker("i-0001");
  auto promise = std::make_shared<std::promise<Result<engine::ClaimAnswer>>>();
  engine_.claim({worker, "n1", 1, Seconds{20}, [] { return true; }},
                [promise](Result<engine::ClaimAnswer> answer) { promise->set_value(std::move(answer)); });
  auto future = promise->get_future();
  EXPECT_EQ(future.wait_for(Millis{50}), std::future_status::timeout) << "nothing to claim yet";
  ASSERT_TRUE(submit({job_spec("one")}).ok());
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  const auto answer = future.get();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->jobs.size(), 1U);
}

TEST_F(EngineTest, NothingIsClaimedForAPeerThatIsGone) {
  const auto worker = add_worker("i-0001");
  std::atomic<bool> answered{false};
  engine_.claim({worker, "n1", 1, Seconds{20}, [] { return false; }}, [&](const auto&) { answered = true; });
  const auto submitted = submit({job_spec("one")});
  ASSERT_TRUE(submitted.ok());
  const auto job = store_->job(submitted->front().number);
  EXPECT_EQ((*job)->state, core::JobState::queued);
  const auto claimed = claim(worker, "n2", 1);
  ASSERT_TRUE(claimed.ok());
  EXPECT_EQ(claimed->jobs.size(), 1U) << "a live poll gets it";
}

engine::Delivery delivery_of(const engine::ClaimedJob& job) {
  return {job.attempt.job, job.attempt.attempt, job.delivery};
}

// Also of a job that allows for no interruption: it has not begun.
TEST_F(EngineTest, AnUndeliveredClaimLeavesTheJobAsItWas) {
  core::JobSpec spec = job_spec("one");
  spec.retry.max_interruptions = 0;
  const auto submitted = submit({spec});
  const auto worker = add_worker("i-0001");
  const auto claimed = claim(worker, "n1", 1);
  ASSERT_TRUE(claimed.ok());
  ASSERT_EQ(claimed->jobs.size(), 1U);
  engine_.unclaim({delivery_of(claimed->jobs[0])});
  const auto again = claim(worker, "n2", 1, 10);
  ASSERT_TRUE(again.ok());
  ASSERT_EQ(again->jobs.size(), 1U);
  EXPECT_EQ(again->jobs[0].attempt.counters, core::Counters{});
  EXPECT_EQ(again->jobs[0].attempt.attempt, 2);
  engine_.unclaim({delivery_of(again->jobs[0])});
  for (int i = 0; i < 5; ++i) {  // however often
    const auto once_more = claim(worker, "m" + std::to_string(i), 1, 10);
    ASSERT_EQ(once_more->jobs.size(), 1U);
    engine_.unclaim({delivery_of(once_more->jobs[0])});
  }
  const auto row = [&] { return **store_->job(submitted->front().number); };
  ASSERT_TRUE(eventually([&] { return row().state == core::JobState::queued; }));
  EXPECT_EQ(row().attempts, 7);
  EXPECT_EQ(row().reason, "");
  EXPECT_FALSE(row().started);
  EXPECT_EQ(row().counters, core::Counters{});
}

TEST_F(EngineTest, ALateGiveBackTakesNothingFromTheRepeat) {
  const auto submitted = submit({job_spec("one"), job_spec("two")});
  const auto worker = add_worker("i-0001", 2);
  const auto first = claim(worker, "n1", 2);
  ASSERT_EQ(first->jobs.size(), 2U);
  const auto repeat = claim(worker, "n1", 2);
  ASSERT_EQ(repeat->jobs.size(), 2U);
  engine_.unclaim({delivery_of(first->jobs[0]), delivery_of(first->jobs[1])});
  // Nor from a worker that has shown to have it, whatever the transport thinks.
  const engine::ClaimedJob& has = repeat->jobs[0];
  ASSERT_TRUE(wait<engine::HeartbeatAnswer>([&](auto done) {
                engine_.heartbeat({worker, {{has.attempt.job, has.attempt.attempt, has.token}}, {}}, done);
              }).ok());
  engine_.unclaim({delivery_of(has)});
  for (const engine::ClaimedJob& job : repeat->jobs) {
    const auto ended = report(worker, job);
    EXPECT_TRUE(ended.ok()) << ended.error().message;
  }
}

TEST_F(EngineTest, ALeaveOfAWorkerQueuesItsJobsAgainAndRefusesItsLateReport) {
  const auto submitted = submit({job_spec("one")});
  const auto lost = add_worker("i-0001");
  const auto claimed = claim(lost, "n1", 1);
  ASSERT_EQ(claimed->jobs.size(), 1U);
  const auto gone = wait<Ok>([&](auto done) {
    engine_.lose_worker(lost.worker, core::Outcome::interruption, "instance terminated", false, done);
  });
  ASSERT_TRUE(gone.ok()) << gone.error().message;
  const auto other = add_worker("i-0002");
  const auto again = claim(other, "n1", 1);
  ASSERT_EQ(again->jobs.size(), 1U);
  EXPECT_EQ(again->jobs[0].attempt.counters.interruptions, 1);
  ASSERT_TRUE(report(other, again->jobs[0]).ok());
  const auto late = report(lost, claimed->jobs[0]);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Errc::stale);
  EXPECT_EQ((*store_->job(submitted->front().number))->state, core::JobState::succeeded);
}

TEST_F(EngineTest, AReleaseOfAWorkerThatWasAskedToEndIsFreeAndAnyOtherBacksOff) {
  ASSERT_TRUE(submit({job_spec("one"), job_spec("two")}).ok());
  const auto asked = add_worker("i-0001");
  const auto other = add_worker("i-0002");
  const auto first = claim(asked, "n1", 1);
  const auto second = claim(other, "n1", 1);
  ASSERT_TRUE(first.ok() && second.ok() && first->jobs.size() == 1U && second->jobs.size() == 1U);
  ASSERT_TRUE(apply(ports::MoveWorker{asked.worker, core::WorkerMove::drain, "why", clock_.wall()}).ok());
  ASSERT_TRUE(report(asked, first->jobs[0], std::nullopt).ok());
  ASSERT_TRUE(report(other, second->jobs[0], std::nullopt).ok());
  const auto freed = **store_->job(first->jobs[0].attempt.job);
  EXPECT_EQ(freed.counters, (core::Counters{0, 0, 1}));
  EXPECT_FALSE(freed.wake_at);
  const auto broken = **store_->job(second->jobs[0].attempt.job);
  EXPECT_EQ(broken.counters, (core::Counters{0, 1, 0}));
  EXPECT_TRUE(broken.wake_at);
  EXPECT_EQ(broken.charges, 1);
}

TEST_F(EngineTest, ASuspectAtTheHeadOfItsQueueHasAWorkerKeptFreeForIt) {
  ASSERT_TRUE(apply(ports::PutSettings{{{"lease_s", "600"}}, clock_.wall()}).ok());
  const auto submitted = submit({job_spec("one"), job_spec("two")});
  const auto broken = add_worker("i-0001");
  ASSERT_EQ(claim(broken, "n1", 2)->jobs.size(), 2U);
  ASSERT_TRUE(wait<Ok>([&](auto done) {
                engine_.lose_worker(broken.worker, core::Outcome::infra, "gone", false, done);
              }).ok());
  const auto worker = add_worker("i-0002");
  ASSERT_TRUE(submit({job_spec("three"), job_spec("four"), job_spec("five")}).ok());
  const auto beside = claim(worker, "n1", 1);  // the suspects are not due yet
  ASSERT_EQ(beside->jobs.size(), 1U);
  pass(Seconds{2});
  ASSERT_TRUE(eventually([&] { return view(engine_).queues["default"].suspects == 2; }));
  const auto more = claim(worker, "n2", 1);
  ASSERT_EQ(more->jobs.size(), 1U) << "while it has something to do, others pass them";
  pass(Seconds{61});
  EXPECT_TRUE(claim(worker, "n3", 1)->jobs.empty()) << "but not for longer than a minute";
  ASSERT_TRUE(report(worker, beside->jobs[0]).ok());
  EXPECT_TRUE(claim(worker, "n4", 2)->jobs.empty());
  ASSERT_TRUE(report(worker, more->jobs[0]).ok());
  const auto suspect = claim(worker, "n5", 4);
  ASSERT_EQ(suspect->jobs.size(), 1U);
  EXPECT_EQ(suspect->jobs[0].attempt.job, submitted->front().number);
  EXPECT_TRUE(claim(worker, "n6", 3)->jobs.empty()) << "it has the worker to itself";
  EXPECT_TRUE(view(engine_).workers.at(0).alone);
  // The other suspect would have it kept free for itself next.
  const ports::ActOnJob hold{submitted->back().number, {}, core::JobAction::hold, clock_.wall()};
  ASSERT_TRUE(wait<engine::ActAnswer>([&](auto done) { engine_.act(hold, done); }).ok());
  pass(Seconds{61});
  EXPECT_EQ(claim(worker, "n7", 3, 10)->jobs.size(), 1U) << "until its time is over";
}

TEST_F(EngineTest, KnowsItsWorkersTokensWhileItLeads) {
  const auto code = [](const engine::Engine& engine, const engine::WorkerAuth& auth) {
    const Status known = engine.check_worker(auth);
    return known.ok() ? std::nullopt : std::optional(known.error().code);
  };
  const auto worker = add_worker("i-0001");
  const auto other = add_worker("i-0002");
  EXPECT_EQ(code(engine_, worker), std::nullopt);
  EXPECT_EQ(code(engine_, {worker.worker, other.token}), Errc::unauthenticated);
  EXPECT_EQ(code(engine_, {WorkerId{999}, worker.token}), Errc::unauthenticated);
  ASSERT_TRUE(wait<Ok>([&](auto done) {
                engine_.lose_worker(other.worker, core::Outcome::interruption, "gone", false, done);
              }).ok());
  EXPECT_EQ(code(engine_, other), Errc::unauthenticated);
  // A daemon that does not lead knows nobody, which says nothing against them.
  engine::QueueEngine second(*store_, clock_, metrics_, often());
  EXPECT_EQ(code(second, worker), Errc::unavailable);
  engine_.stop();
  EXPECT_EQ(code(engine_, worker), Errc::unavailable);
  start(second);
  EXPECT_EQ(code(second, worker), std::nullopt);
  EXPECT_EQ(code(second, other), Errc::unauthenticated);
}

TEST_F(EngineTest, AnAttemptIsEndedByItsWorkerAlone) {
  ASSERT_TRUE(submit({job_spec("mine")}).ok());
  const auto worker = add_worker("i-0001");
  const auto other = add_worker("i-0002");
  const auto claimed = claim(worker, "n1", 1);
  ASSERT_TRUE(claimed.ok() && claimed->jobs.size() == 1U);
  for (const auto& foreign : {other, engine::WorkerAuth{WorkerId{999}, worker.token}}) {
    const auto refused = report(foreign, claimed->jobs[0]);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::stale);
  }
  EXPECT_TRUE(report(worker, claimed->jobs[0]).ok());
}

TEST_F(EngineTest, HoldOfAQueuedJobTakesItOutAndReleasePutsItBack) {
  const auto submitted = submit({job_spec("one")});
  const auto worker = add_worker("i-0001");
  const auto change = [&](core::JobAction action) {
    return wait<engine::ActAnswer>([&](auto done) {
      engine_.act(ports::ActOnJob{submitted->front().number, {}, action, clock_.wall()}, done);
    });
  };
  ASSERT_TRUE(change(core::JobAction::hold).ok());
  EXPECT_EQ(claim(worker, "n1", 1)->jobs.size(), 0U);
  EXPECT_EQ(view(engine_).queues["default"].ready, 0);
  ASSERT_TRUE(change(core::JobAction::release).ok());
  EXPECT_EQ(view(engine_).queues["default"].ready, 1);
  EXPECT_EQ(claim(worker, "n2", 1)->jobs.size(), 1U);
}

TEST_F(EngineTest, OneBadValueAmongAThousandFailsAlone) {
  // Not valid UTF-8: the API refuses it before; here it reaches the store, whose refusal must hit this one
  // command.
  std::vector<std::future<Result<std::vector<engine::Submitted>>>> answers;
  for (int i = 0; i < 1000; ++i) {
    auto promise = std::make_shared<std::promise<Result<std::vector<engine::Submitted>>>>();
    answers.push_back(promise->get_future());
    engine_.submit({job_spec(i == 617 ? "bad \xff" : "good")},
                   [promise](auto answer) { promise->set_value(std::move(answer)); });
  }
  for (int i = 0; i < 1000; ++i) {
    const auto answer = answers[static_cast<std::size_t>(i)].get();
    EXPECT_EQ(answer.ok(), i != 617) << i;
    if (!answer.ok()) {
      EXPECT_EQ(answer.error().code, Errc::data);
    }
  }
  EXPECT_EQ(value("SELECT count(*) FROM jobs"), "999");
}

TEST_F(EngineTest, ACommitKilledBeforeItTookPlaceIsRunAgain) {
  // A deferred trigger keeps the backend inside COMMIT long enough to end it there.
  sql("CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN "
      "NULL; END $$");
  sql("CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON jobs_live DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "EXECUTE FUNCTION linger()");
  auto promise = std::make_shared<std::promise<Result<std::vector<engine::Submitted>>>>();
  engine_.submit({job_spec("one")}, [promise](auto answer) { promise->set_value(std::move(answer)); });
  std::string pid;
  ASSERT_TRUE(eventually([&] {
    pid = value(
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()");
    return !pid.empty();
  }));
  // The drop waits for the table lock that the transaction holds: end the transaction first, in the same
  // statement's time.
  std::thread drop([&] { sql("DROP TRIGGER linger ON jobs_live"); });
  ASSERT_TRUE(eventually([&] { return value("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"; }));
  sql("SELECT pg_terminate_backend(" + pid + ")");
  drop.join();
  auto future = promise->get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  const auto answer = future.get();
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(value("SELECT count(*) FROM jobs"), "1");
  EXPECT_EQ(value("SELECT number FROM jobs"), std::to_string(answer->front().number.value));
}

TEST_F(EngineTest, ACommitThatTookPlaceButWhoseReplyWasLostIsAnsweredAsDone) {
  // With a synchronous standby that never comes, COMMIT has taken place but does not answer: ended there, its
  // reply is lost.
  ASSERT_TRUE(submit({job_spec("zero")}).ok());  // takes a block of numbers, which is a commit too
  sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  sql("SELECT pg_reload_conf()");
  const std::string pid = leader_pid();
  // The server takes the setting when it gets round to it: a commit that comes before is answered as ever.
  using Answer = Result<std::vector<engine::Submitted>>;
  std::vector<std::future<Answer>> answers;
  const auto is_answered = [](const auto& future) {
    return future.wait_for(Millis{0}) == std::future_status::ready;
  };
  EXPECT_TRUE(eventually([&] {
    if (answers.empty() || is_answered(answers.back())) {
      auto promise = std::make_shared<std::promise<Answer>>();
      answers.push_back(promise->get_future());
      engine_.submit({job_spec("one")}, [promise](auto answer) { promise->set_value(std::move(answer)); });
    }
    return value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = " + pid) ==
           "1";
  }));
  sql("SELECT pg_terminate_backend(" + pid + ")");
  sql("ALTER SYSTEM RESET synchronous_standby_names");
  sql("SELECT pg_reload_conf()");
  ASSERT_EQ(answers.back().wait_for(kPatience), std::future_status::ready);
  const auto answer = answers.back().get();
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(value("SELECT count(*) FROM jobs WHERE name = 'one'"), std::to_string(answers.size()))
      << "not run twice";
  EXPECT_EQ(value("SELECT max(number) FROM jobs WHERE name = 'one'"),
            std::to_string(answer->front().number.value));
}

TEST_F(EngineTest, ALeaderCutOffBeforeItsFirstSubmissionNoticesThoughClientsKeepAsking) {
  sql("SELECT pg_terminate_backend(" + leader_pid() + ")");
  int refused = 0;
  EXPECT_TRUE(eventually([&] {
    const bool taken = submit({job_spec("first")}).ok();
    refused += taken ? 0 : 1;
    return taken;
  }));
  EXPECT_GT(refused, 0);
}

TEST_F(EngineTest, WhatWasAcknowledgedIsStoredThoughTheConnectionIsCutAgainAndAgain) {
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0};
  std::mutex mutex;
  std::vector<std::int64_t> acknowledged;
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&] {
      while (!stop) {
        const auto answer = submit({job_spec("storm"), job_spec("storm")});
        const std::lock_guard lock(mutex);
        if (!answer.ok()) {
          ++refused;
          continue;
        }
        for (const auto& job : *answer) acknowledged.push_back(job.number.value);
      }
    });
  }
  for (int cut = 0; cut < 8; ++cut) {
    std::size_t before = 0;
    {
      const std::lock_guard lock(mutex);
      before = acknowledged.size();
    }
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return acknowledged.size() > before + 20;
    })) << "work goes on after cut "
        << cut;
    sql("SELECT pg_terminate_backend(" + leader_pid() + ")");
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_GT(acknowledged.size(), 100U);
  std::set<std::string> stored;
  for (const std::string& number : sql("SELECT number FROM jobs")) {
    EXPECT_TRUE(stored.insert(number).second) << number << " twice";
  }
  for (const std::int64_t number : acknowledged) {
    ASSERT_TRUE(stored.contains(std::to_string(number))) << number << " was acknowledged and is lost";
  }
}

TEST_F(EngineTest, AnOutageOfTheStoreRequeuesNothing) {
  ASSERT_TRUE(submit({job_spec("one")}).ok());
  const auto worker = add_worker("i-0001");
  const auto claimed = claim(worker, "n1", 1);
  ASSERT_EQ(claimed->jobs.size(), 1U);
  PgCluster::get().crash();
  ASSERT_TRUE(eventually([&] { return !view(engine_).leading; }));
  const auto refused = submit({job_spec("two")});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_GT(refused.error().retry_after_s, 0);
  PgCluster::get().start();
  ASSERT_TRUE(eventually([&] { return view(engine_).leading; }));
  const auto ended = report(worker, claimed->jobs[0]);
  ASSERT_TRUE(ended.ok()) << ended.error().message;
  EXPECT_EQ(ended->state, core::JobState::succeeded);
}

TEST_F(EngineTest, SettingsThatContradictWhatIsThereAreRefused) {
  const auto put = [&](std::map<std::string, std::string> values) {
    return apply(ports::PutSettings{std::move(values), clock_.wall()});
  };
  const auto refused = put({{"heartbeat_interval_s", "30"}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::invalid);
  EXPECT_EQ(refused.error().field, "heartbeat_interval_s");
  EXPECT_EQ(value("SELECT count(*) FROM setting"), "0");
  ASSERT_TRUE(put({{"heartbeat_interval_s", "30"}, {"lease_s", "90"}}).ok());
  EXPECT_EQ(put({{"lease_s", "60"}}).error().field, "lease_s");
  EXPECT_EQ(view(engine_).tunables.lease_s, 90);
}

// Older versions stored such pairs.
TEST_F(EngineTest, StoredSettingsThatContradictEachOtherAreMadeToFit) {
  engine_.stop();
  sql("INSERT INTO setting VALUES ('heartbeat_interval_s', '60', now()), ('lease_s', '60', now())");
  engine::QueueEngine next(*store_, clock_, metrics_, often());
  start(next);
  EXPECT_EQ(view(next).tunables.heartbeat_interval_s, 60);
  EXPECT_EQ(view(next).tunables.lease_s, 180);
}

// While the store keeps the writer waiting workers are heard: who is silent meanwhile is silent.
TEST_F(EngineTest, ALongCommitHidesNeitherALiveWorkerNorADeadOne) {
  ASSERT_TRUE(
      apply(ports::PutSettings{{{"heartbeat_interval_s", "1"}, {"lease_s", "5"}}, clock_.wall()}).ok());
  ASSERT_TRUE(submit({job_spec("one"), job_spec("two")}).ok());
  const auto live = add_worker("i-0001", 1);
  const auto dead = add_worker("i-0002", 1);
  const auto claimed = claim(live, "n1", 1);
  const auto lost = claim(dead, "n1", 1);
  ASSERT_EQ(claimed->jobs.size() + lost->jobs.size(), 2U);
  std::thread locks([&] { sql("BEGIN; LOCK TABLE jobs IN SHARE MODE; SELECT pg_sleep(8); COMMIT"); });
  ASSERT_TRUE(
      eventually([&] { return value("SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock'") != "0"; }));
  std::atomic<bool> over{false};
  std::thread beats([&] {
    const engine::ClaimedJob& has = claimed->jobs[0];
    engine::Heartbeat beat{live, {{has.attempt.job, has.attempt.attempt, has.token}}, std::nullopt};
    while (!over) {
      // Heard in any case; answered while no other daemon can lead.
      static_cast<void>(wait<engine::HeartbeatAnswer>([&](auto done) { engine_.heartbeat(beat, done); }));
      std::this_thread::sleep_for(Millis{300});
    }
  });
  EXPECT_TRUE(submit({job_spec("three")}).ok());  // commits when the lock goes, after more than a lease
  locks.join();
  const auto row = [&](const auto& of) { return **store_->job(of->jobs[0].attempt.job); };
  EXPECT_TRUE(eventually([&] { return row(lost).state == core::JobState::queued; }));
  over = true;
  beats.join();
  EXPECT_EQ(row(claimed).state, core::JobState::running);
  EXPECT_EQ(row(claimed).attempts, 1);
}

TEST_F(EngineTest, AFullQueueRefusesWithAHintInsteadOfGrowing) {
  engine_.stop();
  engine::EngineOptions narrow;
  narrow.queue_limit = 10;
  engine::QueueEngine engine(*store_, clock_, metrics_, narrow);
  start(engine);
  // The table is locked, so that a commit hangs while requests come in.
  std::thread lock(
      [&] { sql("DO $$ BEGIN LOCK TABLE jobs_live IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(2); END $$"); });
  const std::string waiting =
      "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name = "
      "'drover leader' "
      "AND l.relation = 'jobs_live'::regclass AND NOT l.granted";
  EXPECT_TRUE(eventually([&] {
    return value(
               "SELECT count(*) FROM pg_locks WHERE relation = 'jobs_live'::regclass AND mode = "
               "'AccessExclusiveLock' AND granted") == "1";
  }));
  std::vector<std::future<Result<std::vector<engine::Submitted>>>> answers;
  const auto post = [&] {
    auto promise = std::make_shared<std::promise<Result<std::vector<engine::Submitted>>>>();
    answers.push_back(promise->get_future());
    engine.submit({job_spec("one")}, [promise](auto answer) { promise->set_value(std::move(answer)); });
  };
  post();
  EXPECT_TRUE(eventually([&] { return value(waiting) != "0"; })) << "the first commit hangs";
  for (int i = 0; i < 30; ++i) post();
  int accepted = 0;
  int refused = 0;
  for (auto& future : answers) {
    const auto answer = future.get();
    if (answer.ok()) {
      ++accepted;
    } else {
      ++refused;
      EXPECT_EQ(answer.error().code, Errc::overloaded);
      EXPECT_GT(answer.error().retry_after_s, 0);
    }
  }
  lock.join();
  EXPECT_EQ(accepted, 11) << "the one under way, and ten that waited";
  EXPECT_EQ(refused, 20);
  EXPECT_EQ(value("SELECT count(*) FROM jobs"), "11");
}

TEST_F(EngineTest, OneOfTwoLeadsAndTheOtherRefuses) {
  auto store = postgres::make_pg_store(options(conninfo_));
  engine::QueueEngine second(*store, clock_, metrics_, {});
  second.start();
  ASSERT_TRUE(eventually(
      [&] { return !view(second).standby_reason.empty() && view(second).standby_reason != "starting"; }));
  const auto refused =
      wait<std::vector<engine::Submitted>>([&](auto done) { second.submit({job_spec("x")}, done); });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  ASSERT_TRUE(submit({job_spec("one")}).ok());
  const auto epoch = view(engine_).epoch;
  engine_.stop();
  ASSERT_TRUE(eventually([&] { return view(second).leading; })) << "the second takes over";
  EXPECT_GT(view(second).epoch, epoch);
}

TEST_F(EngineTest, AfterAPauseBeyondItsTrustALeaderAnswersNothingFromMemory) {
  const auto worker = add_worker("i-0001");
  engine_.stop();
  JumpingClock clock;
  engine::EngineOptions rarely;  // would ask the store by itself after a hundred seconds
  rarely.takeover = Seconds{300};
  engine::QueueEngine stopped(*store_, clock, metrics_, rarely);
  start(stopped);
  EXPECT_GT(view(stopped).trusted_until, clock.steady());
  const auto heartbeat = [&] {
    // Lists an attempt that it does not know, as one that the next leader gave out: the answer is to stop it.
    engine::Heartbeat beat{worker, {{JobNumber{1}, 1, Secret("token")}}, std::nullopt};
    return wait<engine::HeartbeatAnswer>([&](auto done) { stopped.heartbeat(beat, done); });
  };
  ASSERT_TRUE(heartbeat().ok());
  sql("SELECT pg_terminate_backend(" + leader_pid() + ")");
  auto next = store_->lead();
  while (!next.ok()) next = store_->lead();
  clock.jump(Seconds{301});
  const auto late = heartbeat();
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Errc::unavailable);
  EXPECT_TRUE(eventually([&] { return !view(stopped).leading; }));
}

TEST_F(EngineTest, AStoppedEngineSaysSoAndNothingElse) {
  EXPECT_NE(view(engine_).epoch, 0);
  engine_.stop();
  const auto seen = view(engine_);
  EXPECT_FALSE(seen.leading);
  EXPECT_EQ(seen.standby_reason, "the daemon is stopping");
  EXPECT_EQ(seen.epoch, 0);
}

TEST_F(EngineTest, ALaunchPlannedBeforeAPauseIsRefusedAfterIt) {
  const PoolId into = pool("default");
  ASSERT_TRUE(apply(ports::SetPaused{true, clock_.wall()}).ok());
  core::LaunchRequest request;
  request.client_token = "planned";
  const ports::InsertLaunch planned{into, request, {}, "planned", clock_.wall()};
  const auto refused = apply(planned);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::conflict);
  ASSERT_TRUE(apply(ports::SetPaused{false, clock_.wall()}).ok());
  EXPECT_TRUE(apply(planned).ok());
}

TEST_F(EngineTest, AJobForLaterBecomesReadyAtItsTime) {
  auto later = job_spec("later");
  later.run_at = clock_.wall() + Millis{300};
  ASSERT_TRUE(submit({later}).ok());
  const auto worker = add_worker("i-0001");
  EXPECT_EQ(view(engine_).queues["default"].ready, 0);
  const auto claimed = claim(worker, "n1", 1, 15);
  ASSERT_TRUE(claimed.ok());
  ASSERT_EQ(claimed->jobs.size(), 1U);
  EXPECT_GE(clock_.wall(), *later.run_at);
}

TEST_F(EngineTest, RowsChangedByHandAreNoticedByTheRescan) {
  auto held = job_spec("held");
  held.hold = true;
  ASSERT_TRUE(submit({held}).ok());
  const auto worker = add_worker("i-0001");
  EXPECT_EQ(claim(worker, "n1", 1)->jobs.size(), 0U);
  sql("UPDATE jobs SET state = 'queued'");
  ASSERT_TRUE(eventually([&] {
    const auto claimed = claim(worker, "n2", 1);
    return claimed.ok() && claimed->jobs.size() == 1;
  }));
}

TEST_F(EngineTest, RowsPutByHandIntoANewQueueOfAPoolAreNoticedToo) {
  auto held = job_spec("held");
  held.hold = true;
  ASSERT_TRUE(submit({held}).ok());
  const auto worker = add_worker("i-0001");
  ports::PutPool edit;
  edit.spec.name = "default";
  edit.spec.provider = core::Provider::none;
  edit.spec.queues = {"default", "new"};
  edit.now = clock_.wall();
  ASSERT_TRUE(apply(edit).ok());
  sql("UPDATE jobs SET state = 'queued', queue = 'new'");
  ASSERT_TRUE(eventually([&] {
    const auto claimed = claim(worker, "n1", 1);
    return claimed.ok() && claimed->jobs.size() == 1;
  }));
}

}  // namespace
}  // namespace drover::testing
