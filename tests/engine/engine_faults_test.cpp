// Faults that were met or found by reading, each over the store in memory and in one thread, so that what
// happens while a batch is under way can be said exactly.
#include <gtest/gtest.h>

#include "drover/base/check.hpp"
#include "drover/base/limits.hpp"

#include "engine/one_thread.hpp"

namespace drover::engine {
namespace {

using core::JobState;
using memstore::Fault;
using testing::Answer;
using testing::job_spec;

class EngineFaults : public ::testing::Test, protected testing::OneThread {
 protected:
  void SetUp() override { lead(); }

  // Rounds until the writer has been given something, which it does not do yet.
  void until_under_way() {
    for (int i = 0; i < 10 && !order; ++i) round();
    ASSERT_TRUE(order) << "nothing is under way";
  }
  // A commit is under way from now on, with nothing in it that matters.
  void commit_begins() {
    submit({job_spec("other", "nobody")});
    until_under_way();
  }
  void set(const std::map<std::string, std::string>& values) {
    taken(apply(ports::PutSettings{values, clock.wall()}));
  }
  void short_leases() { set({{"heartbeat_interval_s", "1"}, {"lease_s", "5"}}); }
  // One claimed job.
  ClaimedJob claimed(const WorkerAuth& worker, const std::string& nonce = "n1") {
    const ClaimAnswer answer = taken(poll(worker, nonce));
    EXPECT_EQ(answer.jobs.size(), 1U);
    return answer.jobs.empty() ? ClaimedJob{} : answer.jobs.front();
  }
  // A worker with a job, and leases of five seconds.
  std::pair<WorkerAuth, ClaimedJob> expiring() {
    short_leases();
    const auto worker = add_worker("i-1");
    add_jobs(1);
    return {worker, claimed(worker)};
  }
  // The lease is over; its end waits while a batch without it is under way.
  void until_expiry_waits(const ClaimedJob& job) {
    pass(Millis{4800});
    crowd();
    clock.pass(Millis{900});
    until_under_way();
    ASSERT_TRUE(state().lease(job.attempt.job)->end_staged);
    ASSERT_FALSE(state().lease(job.attempt.job)->end_sent);
  }
  // As many changes as a batch holds go before what the engine stages by itself from now on.
  void crowd() {
    for (std::size_t i = 0; i < limits::kBatchChanges; ++i) {
      const JobNumber nobody{1'000'000 + static_cast<std::int64_t>(i)};
      Work work = work_of<ports::ActOnJob>(ports::ActOnJob{nobody, {}, core::JobAction::hold, clock.wall()},
                                           [](const auto&) {});
      work.lane = ports::Lane::system;
      parts().pipeline.add(std::move(work));
    }
  }
};

// ---- refused for want of room

TEST_F(EngineFaults, AWakeThatWasRefusedForWantOfRoomIsTriedAgain) {
  auto spec = job_spec("later");
  spec.run_at = clock.wall() + Seconds{10};
  taken(submit({spec}));
  EXPECT_EQ(state().accounts.of("default").ready, 0);
  pass(Seconds{9});
  store.plan_faults({Fault::storage_full, Fault::storage_full});
  pass(Seconds{4});
  EXPECT_EQ(state().accounts.of("default").ready, 1);
}

TEST_F(EngineFaults, AClaimThatWasRefusedForWantOfRoomIsReadyAgainAtOnce) {
  const auto worker = add_worker("i-1");
  add_jobs(1);
  store.plan_faults({Fault::storage_full});
  const auto polled = poll(worker, "n1", 1, Seconds{20});
  settle();
  EXPECT_FALSE(*polled) << "it goes on waiting";
  EXPECT_EQ(state().accounts.of("default").unserved(), 1);
  pass(Seconds{2});
  EXPECT_EQ(taken(polled).jobs.size(), 1U);
}

TEST_F(EngineFaults, AReportThatWasRefusedForWantOfRoomCanBeMadeAgain) {
  const auto worker = add_worker("i-1");
  add_jobs(1);
  const ClaimedJob job = claimed(worker);
  store.plan_faults({Fault::storage_full});
  EXPECT_EQ(refused(report(worker, job)).code, Errc::storage_full);
  EXPECT_EQ(taken(report(worker, job)).state, JobState::succeeded);
}

// ---- while others wait, or a batch is under way

TEST_F(EngineFaults, ARescanCountsNoClaimTwice) {
  const auto worker = add_worker("i-1", 2);
  const auto jobs = add_jobs(5);
  const auto polled = poll(worker, "n1", 2, Seconds{20});
  until_under_way();
  parts().to_rescan.insert("default");
  crowd();
  for (int i = 0; i < 3; ++i) {
    write();
    round();
    parts().to_rescan.insert("default");
  }
  EXPECT_EQ(taken(polled).jobs.size(), 2U);
  EXPECT_EQ(state().accounts.of("default").ready, 3);
  EXPECT_EQ(state().accounts.of("default").leased, 2);
  std::size_t attempts = 0;
  for (const JobNumber number : jobs) attempts += store.attempts(number)->size();
  EXPECT_EQ(attempts, 2U);
}

TEST_F(EngineFaults, ARepeatedPollIsRecognisedWhileItsClaimsAreUnderWay) {
  const auto worker = add_worker("i-1", 4);
  add_jobs(4);
  const auto first = poll(worker, "n1", 2, Seconds{20});
  until_under_way();
  const auto again = poll(worker, "n1", 2, Seconds{20});
  round();
  EXPECT_TRUE(taken(first).jobs.empty()) << "the repeat took its place";
  EXPECT_EQ(taken(again).jobs.size(), 2U);
  EXPECT_EQ(state().accounts.of("default").leased, 2);
}

TEST_F(EngineFaults, ClaimsUnderWayTakeRoom) {
  const auto worker = add_worker("i-1", 2);
  add_jobs(4);
  const auto first = poll(worker, "n1", 2, Seconds{20});
  until_under_way();
  const auto other = poll(worker, "n2", 2, Seconds{20});
  round();
  EXPECT_EQ(taken(first).jobs.size(), 2U);
  EXPECT_FALSE(*other) << "there is no slot left";
  EXPECT_EQ(state().accounts.of("default").leased, 2);
}

TEST_F(EngineFaults, ALeaseThatIsRenewedWhileItsEndOnlyWaitsIsNotEnded) {
  const auto [worker, job] = expiring();
  until_expiry_waits(job);
  const auto beat = heartbeat(worker, {job});
  EXPECT_TRUE(taken(beat).stop.empty());
  const auto row = this->job(job.attempt.job);
  EXPECT_EQ(row.state, JobState::running);
  EXPECT_EQ(row.attempts, 1);
}

TEST_F(EngineFaults, AReportOfAnAttemptWhoseExpiryOnlyWaitsIsTaken) {
  const auto [worker, job] = expiring();
  until_expiry_waits(job);
  EXPECT_EQ(taken(report(worker, job)).state, JobState::succeeded) << "a report is a sign of life";
}

TEST_F(EngineFaults, AHeartbeatDuringAnEndUnderWayCountsWhenTheEndIsRefused) {
  const auto [worker, job] = expiring();
  store.plan_faults({Fault::storage_full});
  const auto reported = report(worker, job);
  until_under_way();
  ASSERT_TRUE(state().lease(job.attempt.job)->end_sent);
  for (int i = 0; i < 20; ++i) {  // the commit takes longer than a lease
    clock.pass(Millis{400});
    const auto beat = heartbeat(worker, {job});
    round();
    ASSERT_TRUE(*beat);
  }
  EXPECT_EQ(refused(reported).code, Errc::storage_full);
  const auto row = this->job(job.attempt.job);
  EXPECT_EQ(row.state, JobState::running) << "its worker was heard all the time";
  EXPECT_EQ(taken(report(worker, job)).state, JobState::succeeded);
}

TEST_F(EngineFaults, AnExpiryThatIsUnderWayIsNotTakenBack) {
  const auto [worker, job] = expiring();
  pass(Millis{4800});
  clock.pass(Millis{900});
  until_under_way();
  ASSERT_TRUE(state().lease(job.attempt.job)->end_sent);
  const auto beat = heartbeat(worker, {job});
  round();
  ASSERT_TRUE(*beat);
  EXPECT_TRUE((**beat)->stop.empty()) << "the next one is told";
  settle();
  EXPECT_EQ(taken(heartbeat(worker, {job})).stop.size(), 1U);
  EXPECT_EQ(refused(report(worker, job)).code, Errc::stale);
}

TEST_F(EngineFaults, AFirstAnswerThatFailsAfterItsRepeatTakesNothingFromIt) {
  const auto worker = add_worker("i-1");
  add_jobs(1);
  const ClaimedJob first = claimed(worker);
  pass(Seconds{30});
  const ClaimedJob repeat = claimed(worker);
  EXPECT_EQ(repeat.token.reveal(), first.token.reveal());
  pass(Seconds{30});
  unclaim({first});
  settle();
  EXPECT_EQ(taken(report(worker, repeat)).state, JobState::succeeded);
}

TEST_F(EngineFaults, AnAnswerOfAnEarlierTermThatFailsTakesNothingFromItsRepeat) {
  const auto worker = add_worker("i-1");
  add_jobs(1);
  const ClaimedJob first = claimed(worker);
  const ClaimedJob repeat = claimed(worker);
  const auto epoch = state().epoch;
  store.plan_faults({Fault::lost});
  refused(submit({job_spec("other", "nobody")}));
  pass(Seconds{2});
  ASSERT_TRUE(parts().term.leading());
  ASSERT_GT(state().epoch, epoch);
  unclaim({first});
  settle();
  EXPECT_EQ(taken(report(worker, repeat)).state, JobState::succeeded);
}

TEST_F(EngineFaults, APollWhoseAttemptsAreBeingGivenBackGetsThemAnewAndOnce) {
  const auto worker = add_worker("i-1", 2);
  add_jobs(1);
  const ClaimedJob first = claimed(worker);
  unclaim({first});
  until_under_way();
  const auto again = poll(worker, "n1", 1, Seconds{20});
  round();
  EXPECT_FALSE(*again) << "what it gets is known when the give-back is done";
  const ClaimAnswer answer = taken(again);
  ASSERT_EQ(answer.jobs.size(), 1U);
  EXPECT_EQ(answer.jobs[0].attempt.attempt, 2);
  EXPECT_EQ(answer.jobs[0].attempt.counters, core::Counters{});
}

TEST_F(EngineFaults, AGiveBackThatWaitsLosesToARepeat) {
  const auto worker = add_worker("i-1");
  add_jobs(1);
  const ClaimedJob first = claimed(worker);
  commit_begins();
  unclaim({first});
  round();  // it waits for the next batch
  const auto again = poll(worker, "n1");
  ASSERT_EQ(taken(again).jobs.size(), 1U);
  EXPECT_EQ(taken(report(worker, first)).state, JobState::succeeded) << "the same attempt";
}

TEST_F(EngineFaults, NothingIsClaimedAfterAPauseUnderWay) {
  const auto worker = add_worker("i-1");
  add_jobs(1);
  const auto paused = apply(ports::SetPaused{true, clock.wall()});
  until_under_way();
  const auto late = poll(worker, "n1", 1, Seconds{1});
  settle();
  pass(Seconds{2});
  EXPECT_TRUE(taken(late).jobs.empty());
  EXPECT_EQ(state().accounts.of("default").leased, 0);
  taken(apply(ports::SetPaused{false, clock.wall()}));
  EXPECT_EQ(taken(poll(worker, "n2")).jobs.size(), 1U) << "the job is still known to be ready";
}

TEST_F(EngineFaults, NothingIsClaimedForAWorkerWhoseCordonIsUnderWay) {
  const auto worker = add_worker("i-1");
  const auto other = add_worker("i-2");
  add_jobs(1);
  apply(ports::MoveWorker{worker.worker, core::WorkerMove::cordon_idle, "idle", clock.wall()});
  until_under_way();
  const ClaimAnswer answer = taken(poll(worker, "n1", 1, Seconds{1}));
  EXPECT_TRUE(answer.jobs.empty());
  EXPECT_TRUE(answer.drain);
  EXPECT_EQ(taken(poll(other, "n1")).jobs.size(), 1U);
}

TEST_F(EngineFaults, AHoldUnderWayKeepsItsJobFromAClaim) {
  const auto worker = add_worker("i-1");
  const auto jobs = add_jobs(1);
  const auto held = act(jobs[0], core::JobAction::hold);
  until_under_way();
  const auto late = poll(worker, "n1", 1, Seconds{1});
  round();
  EXPECT_EQ(taken(held).after, JobState::held);
  pass(Seconds{2});
  EXPECT_TRUE(taken(late).jobs.empty());
}

// ---- floods

TEST_F(EngineFaults, AFloodOfSubmissionsRefusesNoWorker) {
  testing::OneThread narrow(10);
  narrow.lead();
  const auto worker = narrow.add_worker("i-1");
  narrow.add_jobs(1);
  const ClaimAnswer claimed = narrow.taken(narrow.poll(worker, "n1"));
  ASSERT_EQ(claimed.jobs.size(), 1U);
  std::vector<Answer<std::vector<Submitted>>> flood;
  for (int i = 0; i < 30; ++i) flood.push_back(narrow.submit({job_spec("flood")}));
  int overloaded = 0;
  for (const auto& one : flood) overloaded += *one ? 1 : 0;
  EXPECT_EQ(overloaded, 20);
  EXPECT_EQ((*flood.back())->error().code, Errc::overloaded);
  EXPECT_GT((*flood.back())->error().retry_after_s, 0);
  narrow.unclaim(claimed.jobs);
  const auto beat = narrow.heartbeat(worker, {});
  narrow.round();
  EXPECT_TRUE(*beat && (*beat)->ok()) << "answered in the same round";
  narrow.settle();
  EXPECT_EQ(narrow.job(claimed.jobs[0].attempt.job).state, JobState::queued) << "given back";
}

TEST_F(EngineFaults, AFloodOfAWorkersCallsRefusesNoGiveBack) {
  testing::OneThread narrow(10);
  narrow.lead();
  const auto worker = narrow.add_worker("i-1");
  narrow.add_jobs(1);
  const ClaimAnswer claimed = narrow.taken(narrow.poll(worker, "n1"));
  ASSERT_EQ(claimed.jobs.size(), 1U);
  for (int i = 0; i < 30; ++i) narrow.poll(worker, "m" + std::to_string(i));
  narrow.unclaim(claimed.jobs);
  narrow.settle();
  EXPECT_EQ(narrow.job(claimed.jobs[0].attempt.job).counters, core::Counters{});
  EXPECT_EQ(narrow.job(claimed.jobs[0].attempt.job).state, JobState::queued);
}

// ---- a slow store, and a process that stands still

TEST_F(EngineFaults, WithEveryCommitSlowADeadWorkersJobGoesElsewhereAndALiveOneKeepsIts) {
  short_leases();
  const auto live = add_worker("i-1", 1);
  const auto dead = add_worker("i-2", 1);
  add_jobs(2);
  const ClaimedJob kept = claimed(live);
  const ClaimedJob lost = claimed(dead);
  const auto lost_row = [&] { return job(lost.attempt.job); };
  int steps = 0;
  for (; steps < 1200; ++steps) {  // two minutes
    if (steps % 6 == 0) {
      submit({job_spec("more", "nobody")});
      write();
    }
    if (steps % 10 == 0) heartbeat(live, {kept});
    round();
    clock.pass(Millis{100});
    if (lost_row().state == JobState::queued && steps < 100) steps = 1000;  // long enough to see the other's
  }
  EXPECT_EQ(lost_row().state, JobState::queued);
  EXPECT_EQ(job(kept.attempt.job).attempts, 1);
  EXPECT_EQ(job(kept.attempt.job).state, JobState::running);
}

TEST_F(EngineFaults, DuringALongCommitNothingIsAnsweredFromMemoryBeyondTheTrustAndNoLeaseIsLost) {
  const auto [worker, job] = expiring();
  const auto early = poll(add_worker("i-early"), "early", 1, Seconds{3});
  const auto late = poll(add_worker("i-late"), "late", 1, Seconds{7});
  commit_begins();
  for (int tenths = 0; tenths < 80; ++tenths) {
    const auto beat = heartbeat(worker, {job});
    round();
    ASSERT_TRUE(*beat);
    const bool trusted = clock.steady() < parts().term.trusted_until();
    EXPECT_EQ((*beat)->ok(), trusted) << tenths;
    EXPECT_EQ(trusted, tenths < 50);
    EXPECT_EQ(view_of(parts()).leading, trusted) << "what is answered of queues and fleet is memory too";
    EXPECT_EQ(view_of(parts()).standby_reason.empty(), trusted);
    EXPECT_EQ(view_of(parts()).workers.empty(), !trusted);
    clock.pass(Millis{100});
  }
  ASSERT_TRUE(*early && *late) << "a poll is answered when its time is over";
  EXPECT_TRUE((*early)->ok());
  EXPECT_EQ((*late)->error().code, Errc::unavailable) << "whether it is to drain another may know better";
  write();
  settle();
  EXPECT_TRUE(taken(heartbeat(worker, {job})).stop.empty());
  EXPECT_EQ(this->job(job.attempt.job).state, JobState::running);
}

TEST_F(EngineFaults, AProcessThatStoodStillTakesNobodysSilenceForDeath) {
  short_leases();
  for (const bool amid_a_commit : {false, true}) {
    const auto worker = add_worker(amid_a_commit ? "i-2" : "i-1");
    add_jobs(1);
    const ClaimedJob job = claimed(worker);
    pass(Millis{1600});
    if (amid_a_commit) commit_begins();
    round();
    clock.pass(Seconds{4});
    settle();  // what waits in the sockets comes a little later
    pass(Millis{2500});
    EXPECT_EQ(this->job(job.attempt.job).state, JobState::running) << "it is silent for less than a lease";
    taken(heartbeat(worker, {job}));
    pass(Millis{1200});
    EXPECT_EQ(this->job(job.attempt.job).state, JobState::running);
    taken(report(worker, job));
  }
}

// ---- what must not be noticed as right by chance

TEST_F(EngineFaults, AHeartbeatRenewsNobodyElsesAttempts) {
  short_leases();
  const auto worker = add_worker("i-1");
  const auto other = add_worker("i-2");
  add_jobs(1);
  const ClaimedJob job = claimed(worker);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(taken(heartbeat(other, {job})).stop.size(), 1U);
    pass(Seconds{1});
  }
  EXPECT_EQ(this->job(job.attempt.job).state, JobState::queued);
}

TEST_F(EngineFaults, ThousandsOfJobsDueAtOneInstantAreAllReady) {
  auto spec = job_spec("later");
  spec.run_at = clock.wall() + Seconds{10};
  for (int i = 0; i < 5; ++i) taken(submit(std::vector(500, spec)));
  pass(Seconds{11});
  EXPECT_EQ(state().accounts.of("default").ready, 2500);
  const auto worker = add_worker("i-1", 16);
  EXPECT_EQ(taken(poll(worker, "n1", 16)).jobs.size(), 16U);
}

TEST_F(EngineFaults, QueuesWhoseJobsHaveEndedAreForgotten) {
  std::vector<JobNumber> all;
  for (int i = 0; i < 5000; ++i) {
    const auto one = submit({job_spec("one", "queue-" + std::to_string(i))});
    if (i % 500 == 499) settle();
  }
  EXPECT_EQ(state().accounts.queues().size(), 5000U);
  ports::JobFilter filter;
  filter.limit = 10'000;
  const auto rows = store.jobs(filter);
  for (const ports::JobRow& row : *rows) {
    act(row.number, core::JobAction::cancel);
    if (row.number.value % 500 == 0) settle();
  }
  settle();
  EXPECT_TRUE(state().accounts.queues().empty());
  EXPECT_EQ(state().ready.queues(), 0U);
  EXPECT_EQ(state().suspects.queues(), 0U);
}

TEST_F(EngineFaults, NumbersAreReservedInSmallBlocks) {
  std::int64_t last = 0;
  for (int term = 0; term < 10; ++term) {
    last = add_jobs(1).front().value;
    store.end_leader();
    pass(Seconds{6});
    ASSERT_TRUE(parts().term.leading());
  }
  EXPECT_LT(last, 1000);
}

TEST_F(EngineFaults, ACleanStopLeavesNoGapInTheNumbers) {
  std::int64_t last = 0;
  for (int term = 0; term < 5; ++term) {
    const auto numbers = add_jobs(1 + 40 * term);
    EXPECT_EQ(numbers.front().value, last + 1);
    last = numbers.back().value;
    settle();
    loop.part();
    settle();
    store.end_leader();
    pass(Seconds{6});
    ASSERT_TRUE(parts().term.leading());
  }
}

// ---- a check that fails

TEST_F(EngineFaults, AFailedCheckEndsTheTermAndTheNextReadsTheStore) {
  const auto worker = add_worker("i-1");
  add_jobs(2);
  const ClaimedJob job = claimed(worker);
  const auto epoch = state().epoch;
  ask<Ok>(ports::Lane::system, [](Parts& to, const Place&, const auto&) {
    to.state.accounts.claimed("default");
    to.state.accounts.claimed("default");
  });
  const auto beside = submit({job_spec("beside")});
  round();
  EXPECT_FALSE(parts().term.leading());
  EXPECT_TRUE(*beside) << "whoever waits is told";
  pass(Seconds{2});
  ASSERT_TRUE(parts().term.leading());
  EXPECT_GT(state().epoch, epoch);
  EXPECT_EQ(state().accounts.of("default").ready, 1);
  EXPECT_EQ(state().accounts.of("default").leased, 1);
  EXPECT_EQ(taken(report(worker, job)).state, JobState::succeeded);
}

// ---- commits in doubt

TEST_F(EngineFaults, AClaimInDoubtIsAnsweredWithItsAttemptsWhenItWasCommitted) {
  const auto worker = add_worker("i-1");
  add_jobs(1);
  store.plan_faults({Fault::doubt_committed});
  const auto polled = poll(worker, "n1", 1, Seconds{20});
  pass(Seconds{2});
  const ClaimAnswer answer = taken(polled);
  ASSERT_EQ(answer.jobs.size(), 1U);
  EXPECT_EQ(taken(report(worker, answer.jobs[0])).state, JobState::succeeded);
}

TEST_F(EngineFaults, AClaimInDoubtThatWasNotCommittedLeavesTheJobReady) {
  const auto worker = add_worker("i-1");
  add_jobs(1);
  store.plan_faults({Fault::doubt_aborted});
  const auto polled = poll(worker, "n1", 1, Seconds{20});
  pass(Seconds{2});
  EXPECT_EQ(refused(polled).code, Errc::unavailable);
  EXPECT_EQ(taken(poll(worker, "n2")).jobs.size(), 1U);
}

TEST_F(EngineFaults, ASubmissionInDoubtThatWasNotCommittedIsMadeInTheNextTerm) {
  store.plan_faults({Fault::doubt_aborted});
  const auto submitted = submit({job_spec("one")});
  pass(Seconds{2});
  const auto number = taken(submitted).front().number;
  EXPECT_EQ(job(number).state, JobState::queued);
}

}  // namespace
}  // namespace drover::engine
