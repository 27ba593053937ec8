#include <chrono>
#include <future>
#include <thread>

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
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < until) {
      if (value(question) == answer) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  // From now on COMMIT of a batch that inserts jobs waits, before anything is decided, until it is ended.
  void make_commits_wait() {
    sql("CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(300); RETURN "
        "NULL; END'");
    sql("CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON jobs_live DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "EXECUTE FUNCTION wait()");
  }
  std::future<Result<std::vector<ports::Outcome>>> commit_aside(ports::NewJob job) {
    return std::async(std::launch::async, [this, job = std::move(job)] {
      return session_->commit(std::vector<ports::Command>{ports::InsertJobs{{job}}});
    });
  }
  const std::string waiting_ =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drover leader' AND "
      "query = 'COMMIT' AND wait_event IS NOT NULL AND state = 'active'";
};

TEST_F(PgLeader, ThereIsOneAndItsEpochRises) {
  const auto second = store_->lead();
  ASSERT_FALSE(second);
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
  while (!successor) successor = postgres::make_pg_store(options(conninfo_))->lead();
  const auto failed = session_->commit(std::vector<ports::Command>{ports::InsertJobs{{lost}}});
  ASSERT_FALSE(failed);
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
  const auto failed = session_->commit(std::vector<ports::Command>{ports::InsertJobs{{lost}}});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  session_.reset();
  ASSERT_TRUE(
      eventually("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drover leader'", "0"));
  EXPECT_EQ(value("SELECT count(*) FROM jobs"), "0");
}

TEST_F(PgLeader, ASilentLeaderIsEndedByTheServer) {
  session_.reset();
  postgres::PgOptions quick = options(conninfo_);
  quick.takeover = Millis{200};
  auto led = postgres::make_pg_store(quick)->lead();
  while (!led && led.error().code == Errc::conflict) led = postgres::make_pg_store(quick)->lead();
  ASSERT_TRUE(led) << led.error().message;
  // Not a word from it: the lock comes free all the same.
  auto next = store_->lead();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!next && std::chrono::steady_clock::now() < until) next = store_->lead();
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ((*led)->ping().error().code, Errc::unavailable);
}

TEST_F(PgLeader, ACommitEndedBeforeItTookPlaceIsUnknownAndResolvesToAborted) {
  make_commits_wait();
  auto done = commit_aside(new_job());
  ASSERT_TRUE(eventually(waiting_, "1"));
  end_leader();
  const auto failed = done.get();
  ASSERT_FALSE(failed);
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
  ASSERT_FALSE(failed);
  ASSERT_EQ(failed.error().code, Errc::commit_unknown);
  EXPECT_EQ(*store_->resolve(failed.error().detail), TransactionFate::committed);
  const auto partial = session_->take_partial();
  ASSERT_EQ(partial.size(), 1U);
  EXPECT_TRUE(partial[0]);
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
  ASSERT_FALSE(failed);
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
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_NE(refused.error().message.find("fsync = off"), std::string::npos);
  EXPECT_TRUE(allowed || allowed.error().message == "another daemon leads") << allowed.error().message;
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
  EXPECT_EQ(store_->ping().error().code, Errc::unavailable);
  cluster.start();
  EXPECT_TRUE(store_->ping());
  EXPECT_TRUE(*store_->job(number));
  become_leader();
  EXPECT_GT(insert().value, number.value);
  session_.reset();
  store_.reset();
}

TEST_F(PgLeader, AConnectionStringThatCannotBeReadIsNotQuoted) {
  const auto failed = postgres::make_pg_store(options("host=x password=hunter2 oops"))->ping();
  ASSERT_FALSE(failed);
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

TEST_F(PgLeader, ADayWithoutAPartitionFallsIntoTheNetAndIsFoundThere) {
  const WorkerId who = worker("i-1");
  ports::EndAttempt end = end_command(claim(insert(), who), core::Outcome::succeeded);
  end.now = now_ + Seconds{40 * 86'400};
  apply<ports::Ended>(end);
  EXPECT_EQ(value("SELECT count(*) FROM jobs_default"), "1");
  EXPECT_EQ(job(end.job).state, core::JobState::succeeded);
  // Making that day's partitions later must not fail, nor hide the row.
  ASSERT_TRUE(session_->make_partitions(end.now));
  EXPECT_EQ(job(end.job).state, core::JobState::succeeded);
  EXPECT_EQ(store_->attempts(end.job)->size(), 1U);
}

}  // namespace
}  // namespace drover::testing
