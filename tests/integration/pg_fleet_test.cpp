#include "pg_writer_test.hpp"

namespace drover::testing {
namespace {

using core::WorkerMove;
using core::WorkerState;
using ports::MoveWorker;

class PgFleet : public PgWriterTest {
 protected:
  WorkerState move(WorkerId who, WorkerMove change) {
    return apply(MoveWorker{who, change, "why", now_}).worker.state;
  }
};

TEST_F(PgFleet, APoolIsCreatedOnceAndEditedByVersion) {
  EXPECT_EQ(refusal(ports::PutPool{pool_spec("main"), true, {}, "", now_}).code, Errc::conflict);
  EXPECT_EQ(refusal(ports::PutPool{pool_spec("other"), false, {}, "", now_}).code, Errc::not_found);
  core::PoolSpec spec = pool_spec("main");
  spec.max = 3;
  spec.tags = {{"team", "genomics"}, {"cost centre", ""}};
  EXPECT_EQ(apply(ports::PutPool{spec, false, 1, "", now_}).pool.version, 2);
  EXPECT_EQ(refusal(ports::PutPool{spec, false, 1, "", now_}).code, Errc::conflict);
  const auto blocked = apply(ports::PutPool{spec, false, {}, "bad image", now_}).pool;
  EXPECT_EQ(blocked.version, 2) << "blocking is no edit";
  EXPECT_EQ(blocked.blocked_reason, "bad image");
  EXPECT_EQ(apply(ports::PutPool{spec, false, 2, "", now_}).pool.blocked_reason, "");
  const auto pools = *store_->pools();
  ASSERT_EQ(pools.size(), 1U);
  EXPECT_EQ(pools[0].spec, spec);
}

TEST_F(PgFleet, ALaunchKeepsItsFrozenRequestAndItsMachinesBecomeWorkersOnce) {
  const Sha256 bootstrap = sha256("b");
  const LaunchId launch = insert_launch("token-1", bootstrap);
  core::LaunchRequest same;
  same.client_token = "token-1";
  EXPECT_EQ(refusal(ports::InsertLaunch{pool_, same, sha256("c"), "", now_}).code, Errc::conflict);
  auto row = *store_->launch_by_token(bootstrap);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->id, launch);
  EXPECT_EQ(row->request.user_data, "#!/bin/sh\n'\"\\ @DROVER_BOOTSTRAP_TOKEN@\n");
  EXPECT_EQ(row->request.tags, (core::Labels{{"drover:pool", "main"}}));
  EXPECT_EQ(row->state, core::LaunchState::intended);
  EXPECT_EQ(store_->fleet()->launches.size(), 1U);
  const auto workers = record(launch, {"i-1", "i-2"});
  ASSERT_EQ(workers.size(), 2U);
  EXPECT_EQ(workers[0].state, WorkerState::starting);
  EXPECT_EQ(workers[0].slots, 4);
  EXPECT_EQ(workers[0].queues, (std::vector<std::string>{"default", "urgent"}));
  EXPECT_TRUE(workers[0].spot);
  EXPECT_EQ(record(launch, {"i-2", "i-3"}, "throttle/RequestLimitExceeded: slow down").size(), 1U);
  row = *store_->launch_by_token(bootstrap);
  EXPECT_EQ(row->instances, 3);
  EXPECT_EQ(row->error, "throttle/RequestLimitExceeded: slow down");
  const auto fleet = *store_->fleet();
  EXPECT_EQ(fleet.workers.size(), 3U);
  EXPECT_EQ(fleet.launches.size(), 1U) << "fulfilled within the last hour";
  EXPECT_FALSE(*store_->launch_by_token(sha256("unknown")));
  EXPECT_EQ(refusal(ports::RecordLaunch{LaunchId{99}, core::LaunchState::failed, {}, "", now_}).code,
            Errc::not_found);
}

TEST_F(PgFleet, RegistrationNeedsTheLaunchsTokenAndAnInstanceThatTheCloudReported) {
  const Sha256 bootstrap = sha256("b");
  const LaunchId launch = insert_launch("token-1", bootstrap);
  EXPECT_EQ(refusal(registration("i-1", sha256("wrong"), now_)).code, Errc::unauthenticated);
  const Error early = refusal(registration("i-1", bootstrap, now_));
  EXPECT_EQ(early.code, Errc::unavailable);
  EXPECT_GT(early.retry_after_s, 0);
  record(launch, {"i-1", "i-2"});
  const auto first = registered("i-1", bootstrap);
  EXPECT_TRUE(first.changed);
  EXPECT_EQ(first.worker.state, WorkerState::active);
  EXPECT_EQ(first.worker.token_hash, sha256("token of i-1"));
  EXPECT_EQ(first.worker.capacity.mem_mib, 4096);
  EXPECT_FALSE(registered("i-1", bootstrap).changed) << "the same nonce again";
  ports::RegisterWorker other = registration("i-1", bootstrap, now_);
  other.nonce = "another";
  EXPECT_EQ(refusal(other).code, Errc::conflict);
  move(first.worker.id, WorkerMove::terminate);
  EXPECT_FALSE(registered("i-1", bootstrap).changed);
  const auto second = *store_->worker("i-2");
  ASSERT_TRUE(second);
  move(second->id, WorkerMove::gone);
  EXPECT_EQ(refusal(registration("i-2", bootstrap, now_)).code, Errc::conflict);
}

TEST_F(PgFleet, AWorkerMovesOnlyAsItMay) {
  const WorkerId who = worker("i-1");
  const auto open = claim(insert(), who);
  EXPECT_EQ(refusal(MoveWorker{who, WorkerMove::cordon_idle, "", now_}).code, Errc::conflict);
  EXPECT_EQ(refusal(MoveWorker{who, WorkerMove::gone, "", now_}).code, Errc::conflict);
  EXPECT_EQ(move(who, WorkerMove::drain), WorkerState::draining);
  EXPECT_EQ(move(who, WorkerMove::activate), WorkerState::active);
  end(open, core::Outcome::succeeded);
  EXPECT_EQ(move(who, WorkerMove::cordon_idle), WorkerState::terminating);
  EXPECT_FALSE(apply(MoveWorker{who, WorkerMove::terminate, "", now_}).changed);
  EXPECT_EQ(refusal(MoveWorker{who, WorkerMove::activate, "", now_}).code, Errc::conflict);
  EXPECT_EQ(move(who, WorkerMove::gone), WorkerState::gone);
  EXPECT_EQ(refusal(MoveWorker{WorkerId{99}, WorkerMove::gone, "", now_}).code, Errc::not_found);
  const auto row = *store_->worker(std::to_string(who.value));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->ended, now_);
  EXPECT_EQ(row->reason, "why");
  EXPECT_TRUE(store_->workers(false, {}, 10)->empty());
  EXPECT_EQ(store_->workers(true, {}, 10)->size(), 1U);
  EXPECT_TRUE(store_->workers(true, who, 10)->empty());
  EXPECT_FALSE(*store_->worker("i-unknown"));
}

TEST_F(PgFleet, ANoticeIsKeptInWhateverStateAndNothingUndoesIt) {
  const auto tell = [&](WorkerId who, WallTime until) {
    return apply(MoveWorker{who, WorkerMove::notice, "told", now_, until});
  };
  const WorkerId who = worker("i-1");
  const auto noticed = tell(who, now_ + Seconds{120});
  EXPECT_TRUE(noticed.changed);
  EXPECT_EQ(noticed.worker.state, WorkerState::draining);
  EXPECT_EQ(noticed.worker.notice_until, now_ + Seconds{120});
  EXPECT_FALSE(tell(who, now_ + Seconds{900}).changed) << "the first counts";
  EXPECT_EQ(refusal(MoveWorker{who, WorkerMove::activate, "", now_}).code, Errc::conflict);
  EXPECT_EQ(move(who, WorkerMove::terminate), WorkerState::terminating);
  EXPECT_EQ((*store_->worker("i-1"))->notice_until, now_ + Seconds{120});
  const WorkerId ending = worker("i-2");
  move(ending, WorkerMove::terminate);
  EXPECT_EQ(tell(ending, now_).worker.state, WorkerState::terminating);
  EXPECT_EQ((*session_->boot()).workers.at(0).notice_until, now_) << "the newest first";
  move(ending, WorkerMove::gone);
  EXPECT_FALSE(tell(ending, now_).changed);
}

TEST_F(PgFleet, AWorkerOfItsOwnBatchsClaimIsNotIdle) {
  const WorkerId who = worker("i-1");
  const JobNumber job = insert();
  const auto settled = commit({MoveWorker{who, WorkerMove::cordon_idle, "", now_}, claim_command(job, who)});
  ASSERT_NE(ports::refusal(settled[0]), nullptr);
  EXPECT_EQ(ports::refusal(settled[0])->code, Errc::conflict);
  EXPECT_EQ(ports::refusal(settled[1]), nullptr);
}

TEST_F(PgFleet, BootReadsBackAllThatWasStored) {
  const WorkerId who = worker("i-1");
  const auto open = claim(insert(), who);
  apply(ports::SetPaused{true, now_});
  apply(ports::PutSettings{{{"lease_s", "30"}, {"freeze_share", "0.5"}}, now_});
  apply(ports::PutSettings{{{"lease_s", "40"}}, now_});
  apply(ports::TouchWorkers{{{who, now_ + Seconds{9}}}});
  const auto boot = *session_->boot();
  EXPECT_TRUE(boot.paused);
  EXPECT_EQ(boot.settings,
            (std::vector<std::pair<std::string, std::string>>{{"freeze_share", "0.5"}, {"lease_s", "40"}}));
  ASSERT_EQ(boot.open.size(), 1U);
  EXPECT_EQ(boot.open[0].token_hash, open.token_hash);
  EXPECT_EQ(boot.open[0].task, open.task);
  EXPECT_EQ(boot.open[0].nonce, "nonce-1");
  ASSERT_EQ(boot.workers.size(), 1U);
  EXPECT_EQ(boot.workers[0].last_seen, now_ + Seconds{9});
  EXPECT_EQ(boot.pools.size(), 1U);
  EXPECT_EQ(to_string(boot.deployment), value("SELECT id FROM deployment"));
  EXPECT_EQ(boot.deployment_secret.reveal(), value("SELECT secret FROM deployment"));
}

}  // namespace
}  // namespace drover::testing
