#include <chrono>
#include <future>
#include <set>
#include <string_view>
#include <thread>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "patience.hpp"
#include "pg_writer_test.hpp"

namespace drover::testing {
namespace {

using ports::TransactionFate;

class PgLeader : public PgWriterTest {
 protected:
  std::string leader_pid() {
    return value("SELECT pid FROM pg_stat_activity WHERE application_name = 'drover leader'");
  }
  void end_leader() { sql("SELECT pg_terminate_backend(" + leader_pid() + ")"); }
  bool eventually(const std::string& question, const std::string& answer) {
    return drover::eventually([&] { return value(question) == answer; });
  }
  // From now on COMMIT of a batch that inserts jobs waits, before anything is decided, until it is ended.
  void make_commits_wait() {
    sql("CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(300); RETURN "
        "NULL; END'");
    sql("CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON jobs_live DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "EXECUTE FUNCTION wait()");
  }
  std::future<Result<std::vector<ports::Settled>>> commit_aside(ports::NewJob job) {
    return std::async(std::launch::async, [this, job = std::move(job)] {
      return session_->commit(std::vector<ports::Change>{ports::InsertJobs{{job}}});
    });
  }
  const std::string waiting_ =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drover leader' AND "
      "query = 'COMMIT' AND wait_event IS NOT NULL AND state = 'active'";
};

TEST_F(PgLeader, ThereIsOneAndItsEpochRises) {
  const auto second = store_->lead();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_EQ(second.error().message, "another daemon leads");
  EXPECT_EQ(session_->boot()->epoch, 1);
  session_.reset();
  ASSERT_TRUE(
      eventually("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drover leader'", "0"));
  become_leader();
  EXPECT_EQ(session_->boot()->epoch, 2);
}

TEST_F(PgLeader, ADeposedLeaderCommitsNothingAndItsSuccessorGoesOn) {
  ports::NewJob lost = new_job();
  end_leader();
  auto successor = postgres::make_pg_store(options(conninfo_))->lead();
  while (!successor.ok()) successor = postgres::make_pg_store(options(conninfo_))->lead();
  const auto failed = session_->commit(std::vector<ports::Change>{ports::InsertJobs{{lost}}});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  EXPECT_EQ(session_->ping().error().code, Errc::unavailable);
  EXPECT_EQ(session_->reserve_numbers(1).error().code, Errc::unavailable);
  EXPECT_EQ(value("SELECT count(*) FROM jobs"), "0");
  session_ = std::move(*successor);
  EXPECT_GT(insert().value, lost.number.value);
}

TEST_F(PgLeader, ALeaderWhoseEpochWasRaisedRefusesToWrite) {
  ports::NewJob lost = new_job();
  sql("UPDATE leader SET epoch = epoch + 1");
  const auto failed = session_->commit(std::vector<ports::Change>{ports::InsertJobs{{lost}}});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  session_.reset();
  ASSERT_TRUE(
      eventually("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drover leader'", "0"));
  EXPECT_EQ(value("SELECT count(*) FROM jobs"), "0");
}

template <class... Cs>
std::set<std::string_view> names_of(ports::ListOfChanges<Cs...>) {
  return {Cs::kName...};
}

TEST_F(PgLeader, EveryKindOfWriteOfAnOldEpochIsRefused) {
  const WorkerId who = worker("i-1");
  const ports::OpenAttempt open = claim(insert(), who);
  const ports::NewJob next = new_job();
  const JobNumber queued = insert();
  const ports::WorkerRow starting = record(insert_launch("token", sha256("secret")), {"i-2"}).front();
  core::LaunchRequest another;
  another.client_token = "another";
  const std::vector<ports::Change> every{
      ports::InsertJobs{{next}},
      claim_command(queued, who),
      ports::PutArtifact{open.job, open.attempt, open.token_hash, "out", 1, sha256("x"), now_},
      end_command(open, core::Outcome::succeeded),
      ports::ActOnJob{queued, {}, core::JobAction::cancel, now_},
      ports::WakeJobs{now_ + Seconds{1}, 10},
      ports::InsertLaunch{pool_, another, sha256("another"), "demand", now_},
      ports::RecordLaunch{starting.launch, core::LaunchState::closed, {}, "", now_},
      registration("i-2", sha256("secret"), now_),
      ports::MoveWorker{who, core::WorkerMove::terminate, "late", now_},
      ports::TouchWorkers{{{who, now_ + Seconds{99}}}},
      ports::PutPool{pool_spec("other"), true, {}, "", now_},
      ports::SetPaused{true, now_},
      ports::PutSettings{{{"lease_s", "7"}}, now_}};
  auto missing = names_of(ports::Changes());
  for (const ports::Change& change : every) missing.erase(ports::name_of(change));
  ASSERT_TRUE(missing.empty()) << "no change of the kind " << *missing.begin() << " is here";
  std::string all_rows = "SELECT concat(''";
  for (const char* table : {"jobs", "lease", "attempt", "worker", "launch", "pool", "scheduler", "setting",
                            "artifact", "event"}) {
    all_rows += fmt::format(", (SELECT string_agg(x::text, '|' ORDER BY x::text) FROM {} x)", table);
  }
  all_rows += ")";
  const std::string before = value(all_rows);
  for (const ports::Change& change : every) {
    session_.reset();
    auto led = store_->lead();
    while (!led.ok() && led.error().message == "another daemon leads") led = store_->lead();
    ASSERT_TRUE(led.ok()) << led.error().message;
    sql("UPDATE leader SET epoch = epoch + 1");
    const auto failed = (*led)->commit(std::vector<ports::Change>{change});
    ASSERT_FALSE(failed.ok()) << ports::name_of(change);
    EXPECT_EQ(failed.error().code, Errc::unavailable) << ports::name_of(change);
    led->reset();
    ASSERT_EQ(value(all_rows), before) << ports::name_of(change);
  }
  // What was refused for its epoch alone is accepted of the one who leads.
  become_leader();
  for (const ports::Change& change : every) {
    const std::string events = value("SELECT count(*) FROM event");
    const auto done = session_->commit(std::vector<ports::Change>{change});
    ASSERT_TRUE(done.ok()) << done.error().message;
    const Error* refused = ports::refusal(done->front());
    EXPECT_EQ(refused, nullptr) << ports::name_of(change) << ": " << refused->message;
    const bool writes = std::visit([]<class C>(const C&) { return C::kWritesEvent; }, change);
    EXPECT_EQ(value("SELECT count(*) FROM event") != events, writes) << ports::name_of(change);
  }
  EXPECT_NE(value(all_rows), before);
}

TEST_F(PgLeader, ALeaderThatFallsSilentInTheMiddleOfABatchIsEndedByWhoeverWantsToLead) {
  session_.reset();
  const std::unique_ptr<PGconn, decltype(&PQfinish)> stopped(PQconnectdb(conninfo_.c_str()), &PQfinish);
  const auto run = [&](const char* text) { PQclear(PQexec(stopped.get(), text)); };
  run("SET idle_session_timeout = 200");
  run("SET idle_in_transaction_session_timeout = 200");
  ASSERT_TRUE(eventually("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "0"));
  run("SELECT pg_advisory_lock(1148350307, 1)");
  // As stopped amid a batch: a statement is there, what ends the pipeline is not, so no timeout runs.
  ASSERT_EQ(PQenterPipelineMode(stopped.get()), 1);
  ASSERT_EQ(PQsendQueryParams(stopped.get(), "SELECT 1", 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
  ASSERT_EQ(PQflush(stopped.get()), 0);
  postgres::PgOptions patient = options(conninfo_);
  patient.takeover = Seconds{300};
  postgres::PgOptions quick = options(conninfo_);
  quick.takeover = Seconds{1};
  EXPECT_EQ(postgres::make_pg_store(patient)->lead().error().message, "another daemon leads");
  const auto store = postgres::make_pg_store(quick);
  auto next = store->lead();
  EXPECT_TRUE(drover::eventually([&] { return (next = store->lead()).ok(); }));
  ASSERT_TRUE(next.ok()) << next.error().message;
}

TEST_F(PgLeader, ALeaderAtWorkIsLeftAlone) {
  // For longer than the takeover time; but it is the server that works.
  make_commits_wait();
  auto done = commit_aside(new_job());
  ASSERT_TRUE(eventually(waiting_, "1"));
  postgres::PgOptions quick = options(conninfo_);
  quick.takeover = Seconds{1};
  const auto store = postgres::make_pg_store(quick);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  for (int refusals = 0; refusals < 3 || std::chrono::steady_clock::now() < until;) {
    const auto led = store->lead();
    ASSERT_FALSE(led.ok());
    if (led.error().message == "another daemon leads") ++refusals;
  }
  EXPECT_EQ(value(waiting_), "1");
  end_leader();
  EXPECT_FALSE(done.get().ok());
}

TEST_F(PgLeader, ASilentLeaderIsEndedByTheServer) {
  session_.reset();
  postgres::PgOptions quick = options(conninfo_);
  quick.takeover = Millis{200};
  auto led = postgres::make_pg_store(quick)->lead();
  while (!led.ok() && led.error().code == Errc::conflict) led = postgres::make_pg_store(quick)->lead();
  ASSERT_TRUE(led.ok()) << led.error().message;
  // Not a word from it: the lock comes free all the same.
  auto next = store_->lead();
  EXPECT_TRUE(drover::eventually([&] { return (next = store_->lead()).ok(); }));
  ASSERT_TRUE(next.ok()) << next.error().message;
  EXPECT_EQ((*led)->ping().error().code, Errc::unavailable);
}

TEST_F(PgLeader, ACommitEndedBeforeItTookPlaceIsUnknownAndResolvesToAborted) {
  make_commits_wait();
  auto done = commit_aside(new_job());
  ASSERT_TRUE(eventually(waiting_, "1"));
  end_leader();
  const auto failed = done.get();
  ASSERT_FALSE(failed.ok());
  ASSERT_EQ(failed.error().code, Errc::commit_unknown) << failed.error().message;
  EXPECT_EQ(session_->take_partial().size(), 1U);
  EXPECT_EQ(*store_->resolve(failed.error().detail), TransactionFate::aborted);
  EXPECT_EQ(value("SELECT count(*) FROM jobs"), "0");
}

TEST_F(PgLeader, ACommitThatTookPlaceWithoutAReplyResolvesToCommitted) {
  // A synchronous standby that never comes: committed, but not answered.
  const ports::NewJob job = new_job();
  sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  sql("SELECT pg_reload_conf()");
  ASSERT_TRUE(eventually("SHOW synchronous_standby_names", "nobody"));
  auto done = commit_aside(job);
  const bool waits = eventually(
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'", "1");
  end_leader();
  sql("ALTER SYSTEM RESET synchronous_standby_names");
  sql("SELECT pg_reload_conf()");
  ASSERT_TRUE(waits);
  const auto failed = done.get();
  ASSERT_FALSE(failed.ok());
  ASSERT_EQ(failed.error().code, Errc::commit_unknown);
  EXPECT_EQ(*store_->resolve(failed.error().detail), TransactionFate::committed);
  const auto partial = session_->take_partial();
  ASSERT_EQ(partial.size(), 1U);
  EXPECT_EQ(ports::refusal(partial[0]), nullptr);
  EXPECT_TRUE(*store_->job(job.number));
}

TEST_F(PgLeader, ResolvingATransactionInProgressEndsItFirst) {
  make_commits_wait();
  auto done = commit_aside(new_job());
  ASSERT_TRUE(eventually(waiting_, "1"));
  const std::string xid =
      value("SELECT backend_xid FROM pg_stat_activity WHERE application_name = 'drover leader'");
  EXPECT_EQ(*store_->resolve(xid + ":1:2"), TransactionFate::aborted);
  const auto failed = done.get();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::commit_unknown);
}

TEST_F(PgLeader, ATransactionIdThatTheServerGaveAwayAgainIsNotMistakenForOurs) {
  const std::string others = value("SELECT pg_current_xact_id()");
  EXPECT_EQ(*store_->resolve(others + ":1:0"), TransactionFate::committed);
  EXPECT_EQ(*store_->resolve(others + ":1:999"), TransactionFate::aborted);
  EXPECT_EQ(*store_->resolve("4000000000:1:999"), TransactionFate::aborted);
  EXPECT_EQ(store_->resolve("nonsense").error().code, Errc::internal);
}

TEST_F(PgLeader, AServerThatMayLoseCommitsIsRefusedUnlessAllowed) {
  session_.reset();
  sql("ALTER SYSTEM SET fsync = off");
  sql("SELECT pg_reload_conf()");
  const bool off = eventually("SHOW fsync", "off");
  const auto refused = store_->lead();
  postgres::PgOptions unsafe = options(conninfo_);
  unsafe.allow_unsafe = true;
  auto allowed = postgres::make_pg_store(unsafe)->lead();
  sql("ALTER SYSTEM RESET fsync");
  sql("SELECT pg_reload_conf()");
  ASSERT_TRUE(off);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_NE(refused.error().message.find("fsync = off"), std::string::npos);
  EXPECT_TRUE(allowed.ok() || allowed.error().message == "another daemon leads") << allowed.error().message;
}

TEST_F(PgLeader, WhatWasCommittedSurvivesACrashOfTheServerAndReadsComeBackByThemselves) {
  // Its own server: recovery takes long with the databases of all other tests.
  PgCluster cluster;
  conninfo_ = cluster.create_database();
  store_ = postgres::make_pg_store(options(conninfo_));
  become_leader();
  const JobNumber number = insert();
  ASSERT_TRUE(*store_->job(number));
  cluster.crash();
  EXPECT_EQ(session_->ping().error().code, Errc::unavailable);
  EXPECT_EQ(store_->pools().error().code, Errc::unavailable);
  cluster.start();
  EXPECT_TRUE(store_->pools().ok());
  EXPECT_TRUE(*store_->job(number));
  become_leader();
  EXPECT_GT(insert().value, number.value);
  session_.reset();
  store_.reset();
}

TEST_F(PgLeader, AConnectionStringThatCannotBeReadIsNotQuoted) {
  const auto failed = postgres::make_pg_store(options("host=x password=hunter2 oops"))->pools();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::invalid);
  EXPECT_EQ(failed.error().message.find("hunter2"), std::string::npos);
  EXPECT_EQ(failed.error().message.find("oops"), std::string::npos);
}

TEST_F(PgLeader, ReservedNumbersAreConsecutiveAndNobodyElses) {
  const JobNumber first = *session_->reserve_numbers(1000);
  const JobNumber second = *session_->reserve_numbers(1);
  EXPECT_EQ(second.value, first.value + 1000);
  EXPECT_EQ(session_->reserve_numbers(1)->value, second.value + 1);
}

// No value in the row is wrong: refused as data, the end of an attempt would be lost for good.
TEST_F(PgLeader, ARowWhoseTableIsMadeMeanwhileIsNotRefusedAsData) {
  ports::EndAttempt end = end_command(claim(insert(), worker("i-1")), core::Outcome::succeeded);
  end.now = now_ + Seconds{40 * 86'400};
  const std::string waits = "FROM pg_locks WHERE relation = 'jobs_default'::regclass AND NOT granted";
  std::thread table([&] {
    sql("DO $$ BEGIN PERFORM make_partitions((now() + interval '40 days')::date); "
        "PERFORM make_partitions((now() + interval '41 days')::date); "
        "WHILE NOT EXISTS (SELECT " +
        waits + ") LOOP PERFORM pg_sleep(0.01); END LOOP; END $$");
  });
  EXPECT_TRUE(
      eventually("SELECT count(*) FROM pg_locks WHERE relation = 'jobs_default'::regclass AND mode = "
                 "'AccessExclusiveLock' "
                 "AND granted",
                 "1"));
  const auto refused = session_->commit(std::vector<ports::Change>{end});
  table.join();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::unavailable) << refused.error().message;
}

TEST_F(PgLeader, ADayWithoutAPartitionFallsIntoTheNetAndIsFoundThere) {
  const WorkerId who = worker("i-1");
  ports::EndAttempt end = end_command(claim(insert(), who), core::Outcome::succeeded);
  end.now = now_ + Seconds{40 * 86'400};
  apply(end);
  EXPECT_EQ(value("SELECT count(*) FROM jobs_default"), "1");
  EXPECT_EQ(job(end.job).state, core::JobState::succeeded);
  // Making that day's partitions later must not fail, nor hide the row.
  ASSERT_TRUE(store_->make_partitions(end.now).ok());
  EXPECT_EQ(job(end.job).state, core::JobState::succeeded);
  EXPECT_EQ(store_->attempts(end.job)->size(), 1U);
}

}  // namespace
}  // namespace drover::testing
