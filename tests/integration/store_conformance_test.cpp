// What the sessions of leaders do alike in every store (any_store.hpp); store_reads_test.cpp has the reads,
// and what administers a store.
#include <algorithm>

#include "drover/ports/tokens.hpp"

#include "any_store.hpp"

namespace drover::testing {
namespace {

using core::JobAction;
using core::JobState;
using core::Outcome;
using core::WorkerMove;
using core::WorkerState;

template <class Backend>
class AnyStore : public StoreCase<Backend> {};
TYPED_TEST_SUITE(AnyStore, Backends, BackendNames);

TYPED_TEST(AnyStore, AJobGoesFromItsClaimToItsEnd) {
  const WorkerId who = this->worker("i-1");
  const JobNumber number = this->insert();
  EXPECT_EQ(this->job(number).state, JobState::queued);
  const ports::OpenAttempt open = this->claim(number, who);
  EXPECT_EQ(open.attempt, 1);
  EXPECT_EQ(open.worker, who);
  EXPECT_EQ(open.token_hash,
            sha256(ports::attempt_token(Secret("worker token"), "nonce-1", number, 1).reveal()));
  EXPECT_EQ(this->job(number).state, JobState::running);
  EXPECT_EQ(this->job(number).worker, "i-1");
  const auto ended = this->end(open, Outcome::succeeded);
  EXPECT_FALSE(ended.repeated);
  EXPECT_EQ(ended.state, JobState::succeeded);
  EXPECT_TRUE(this->end(open, Outcome::succeeded).repeated);
  EXPECT_EQ(this->refusal(this->end_command(open, Outcome::failure)).code, Errc::stale);
  const ports::JobRow row = this->job(number);
  EXPECT_EQ(row.exit_code, 0);
  EXPECT_EQ(row.finished, this->now_);
  const auto attempts = *this->store_->attempts(number);
  ASSERT_EQ(attempts.size(), 1U);
  EXPECT_EQ(attempts[0].outcome, Outcome::succeeded);
  EXPECT_EQ(attempts[0].instance_id, "i-1");
}

TYPED_TEST(AnyStore, AClaimIsRefusedWithItsReason) {
  const WorkerId who = this->worker("i-1");
  const auto why = [&](JobNumber job) { return this->refusal(this->claim_command(job, who)).message; };
  const JobNumber leased = this->insert();
  this->claim(leased, who);
  EXPECT_NE(why(leased).find("it runs already"), std::string::npos);
  const JobNumber held = this->insert();
  this->change(held, JobAction::hold);
  EXPECT_NE(why(held).find("it is held"), std::string::npos);
  ports::NewJob later = this->new_job();
  later.spec.run_at = this->now_ + Seconds{60};
  this->apply(ports::InsertJobs{{later}});
  EXPECT_NE(why(later.number).find("its time has not come"), std::string::npos);
  EXPECT_NE(why(JobNumber{99'999}).find("it is not alive"), std::string::npos);
  this->apply(ports::MoveWorker{who, WorkerMove::drain, "", this->now_});
  EXPECT_NE(why(this->insert()).find("the worker is draining"), std::string::npos);
}

TYPED_TEST(AnyStore, AnEndCountsOnlyWithTheTokenOfTheOpenAttempt) {
  const ports::OpenAttempt open = this->claim(this->insert(), this->worker("i-1"));
  ports::EndAttempt forged = this->end_command(open, Outcome::succeeded);
  forged.token_hash = sha256("another's");
  EXPECT_EQ(this->refusal(forged).code, Errc::stale);
  forged = this->end_command(open, Outcome::succeeded);
  forged.attempt = 2;
  EXPECT_EQ(this->refusal(forged).code, Errc::stale);
  forged = this->end_command(open, Outcome::succeeded);
  forged.job = JobNumber{99'999};
  EXPECT_EQ(this->refusal(forged).code, Errc::not_found);
  EXPECT_EQ(this->job(open.job).state, JobState::running);
}

TYPED_TEST(AnyStore, AReleaseIsRecognisedHoweverItWouldBeClassifiedNow) {
  const WorkerId who = this->worker("i-1");
  ports::EndAttempt release = this->end_command(this->claim(this->insert(), who), Outcome::interruption);
  release.released = true;
  EXPECT_FALSE(this->apply(release).repeated);
  release.outcome = Outcome::infra;
  EXPECT_TRUE(this->apply(release).repeated);
}

TYPED_TEST(AnyStore, AReturnLeavesTheJobAsItWas) {
  const WorkerId who = this->worker("i-1");
  const JobNumber number = this->insert();
  ports::EndAttempt failed = this->end_command(this->claim(number, who), Outcome::failure);
  failed.disposition->delay = Seconds{0};
  failed.disposition->reason = "the first failed";
  this->apply(failed);
  const ports::JobRow before = this->job(number);
  ports::EndAttempt returned = this->end_command(this->claim(number, who), Outcome::returned);
  core::EndedAttempt ended;
  ended.outcome = Outcome::returned;
  ended.counters = before.counters;
  returned.disposition = core::decide_end(ended);
  returned.exit_code.reset();
  this->apply(returned);
  const ports::JobRow after = this->job(number);
  EXPECT_EQ(after.attempts, 2);
  EXPECT_EQ(after.state, JobState::queued);
  EXPECT_EQ(after.counters, before.counters);
  EXPECT_EQ(after.reason, before.reason);
  EXPECT_EQ(after.exit_code, before.exit_code);
  EXPECT_EQ(after.started, before.started);
  const ports::OpenAttempt next = this->claim(number, who);
  EXPECT_EQ(next.attempt, 3);
  EXPECT_EQ(next.returns, 1);
}

TYPED_TEST(AnyStore, ActionsFollowTheTableAndSayWhatBecameOfTheJob) {
  const WorkerId who = this->worker("i-1");
  const JobNumber number = this->insert();
  const auto held = this->change(number, JobAction::hold);
  EXPECT_TRUE(held.changed);
  EXPECT_TRUE(held.was_ready);
  EXPECT_EQ(held.after, JobState::held);
  EXPECT_FALSE(this->change(number, JobAction::hold).changed);
  EXPECT_EQ(this->refusal(ports::ActOnJob{number, {}, JobAction::requeue, this->now_}).code, Errc::conflict);
  EXPECT_EQ(this->change(number, JobAction::release).after, JobState::queued);
  const ports::OpenAttempt open = this->claim(number, who);
  const auto stopping = this->change(number, JobAction::cancel);
  EXPECT_EQ(stopping.after, JobState::stopping);
  EXPECT_EQ(stopping.wanted, JobState::cancelled);
  EXPECT_EQ(this->job(number).state, JobState::stopping);
  ports::EndAttempt end = this->end_command(open, Outcome::stopped);
  end.disposition = core::decide_end({Outcome::stopped, JobState::cancelled, {}, {}, 0, ""});
  EXPECT_EQ(this->apply(end).state, JobState::cancelled);
  EXPECT_EQ(this->change(number, JobAction::requeue).after, JobState::queued);
  EXPECT_EQ(this->refusal(ports::ActOnJob{JobNumber{99'999}, {}, JobAction::hold, this->now_}).code,
            Errc::not_found);
}

TYPED_TEST(AnyStore, DelayedJobsWakeInTheirOrderAndTheRestIsRemembered) {
  std::vector<JobNumber> numbers;
  for (int i = 0; i < 5; ++i) {
    ports::NewJob job = this->new_job();
    job.spec.run_at = this->now_ + Seconds{10 - i};
    this->apply(ports::InsertJobs{{job}});
    numbers.push_back(job.number);
  }
  const auto none = this->apply(ports::WakeJobs{this->now_ + Seconds{5}, 10});
  EXPECT_TRUE(none.ready.empty());
  EXPECT_EQ(none.next, this->now_ + Seconds{6});
  const auto some = this->apply(ports::WakeJobs{this->now_ + Seconds{60}, 3});
  ASSERT_EQ(some.ready.size(), 3U);
  EXPECT_TRUE(
      std::ranges::any_of(some.ready, [&](const auto& one) { return one.key.number == numbers[4].value; }));
  EXPECT_EQ(some.next, this->now_ + Seconds{9});
  EXPECT_EQ(this->apply(ports::WakeJobs{this->now_ + Seconds{60}, 3}).ready.size(), 2U);
}

TYPED_TEST(AnyStore, AnInstanceRegistersOnceAndOnlyForItsLaunch) {
  const Sha256 bootstrap = sha256("bootstrap");
  const LaunchId launch = this->insert_launch("token", bootstrap);
  const auto registration = this->registration("i-1", bootstrap, this->now_);
  EXPECT_EQ(this->refusal(registration).code, Errc::unavailable);
  this->record(launch, {"i-1"});
  EXPECT_TRUE(this->apply(registration).changed);
  EXPECT_FALSE(this->apply(registration).changed) << "the same nonce again";
  auto other = registration;
  other.nonce = "another";
  EXPECT_EQ(this->refusal(other).code, Errc::conflict);
  EXPECT_EQ(this->refusal(this->registration("i-1", sha256("guess"), this->now_)).code,
            Errc::unauthenticated);
}

TYPED_TEST(AnyStore, AWorkerMovesAsTheTableSaysAndAClaimOfItsBatchComesFirst) {
  const WorkerId who = this->worker("i-1");
  const JobNumber job = this->insert();
  const auto settled = this->commit(
      {ports::MoveWorker{who, WorkerMove::cordon_idle, "", this->now_}, this->claim_command(job, who)});
  ASSERT_NE(ports::refusal(settled[0]), nullptr);
  EXPECT_EQ(ports::refusal(settled[0])->code, Errc::conflict);
  EXPECT_EQ(ports::refusal(settled[1]), nullptr);
  EXPECT_EQ(this->refusal(ports::MoveWorker{who, WorkerMove::gone, "", this->now_}).code, Errc::conflict);
  const auto drained = this->apply(ports::MoveWorker{who, WorkerMove::drain, "why", this->now_});
  EXPECT_TRUE(drained.changed);
  EXPECT_EQ(drained.worker.state, WorkerState::draining);
  EXPECT_EQ(drained.worker.reason, "why");
  EXPECT_EQ(drained.worker.pool_name, "main");
}

TYPED_TEST(AnyStore, TheDeathOfManyMachinesIsOneBatch) {
  std::vector<ports::Change> changes;
  for (int i = 0; i < 50; ++i) {
    changes.push_back(
        ports::MoveWorker{this->worker("i-" + std::to_string(i)), WorkerMove::gone, "lost", this->now_});
  }
  for (const ports::Settled& one : this->commit(changes)) {
    ASSERT_EQ(ports::refusal(one), nullptr);
    EXPECT_EQ(ports::result_of<ports::MoveWorker>(one)->worker.state, WorkerState::gone);
  }
  EXPECT_TRUE(this->store_->workers(false, {}, 100)->empty());
}

TYPED_TEST(AnyStore, PoolsAreEditedByTheirVersion) {
  auto spec = this->pool_spec("main");
  EXPECT_EQ(this->refusal(ports::PutPool{spec, true, {}, "", this->now_}).code, Errc::conflict);
  EXPECT_EQ(this->refusal(ports::PutPool{spec, false, 7, "", this->now_}).code, Errc::conflict);
  EXPECT_EQ(this->apply(ports::PutPool{spec, false, 1, "", this->now_}).pool.version, 2);
  const auto blocked = this->apply(ports::PutPool{spec, false, {}, "bad image", this->now_}).pool;
  EXPECT_EQ(blocked.version, 2);
  EXPECT_EQ(blocked.blocked_reason, "bad image");
  EXPECT_EQ(this->refusal(ports::PutPool{this->pool_spec("none"), false, {}, "", this->now_}).code,
            Errc::not_found);
}

TYPED_TEST(AnyStore, AnArtifactNeedsTheOpenAttemptsToken) {
  const ports::OpenAttempt open = this->claim(this->insert(), this->worker("i-1"));
  ports::PutArtifact put{open.job, 1, open.token_hash, "out", 3, sha256("abc"), this->now_};
  this->apply(put);
  put.token_hash = sha256("another's");
  EXPECT_EQ(this->refusal(put).code, Errc::stale);
  const auto row = *this->store_->artifact(open.job, "out");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->size, 3);
}

TYPED_TEST(AnyStore, ReadyKeysComeInOrderAndWithoutWhatRuns) {
  const WorkerId who = this->worker("i-1");
  const auto numbers = this->insert_many(5);
  this->claim(numbers[1], who);
  this->change(numbers[2], JobAction::hold);
  const auto all = this->ready();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].number, numbers[0].value);
  EXPECT_EQ(this->ready(all[0], 1).front(), all[1]);
  EXPECT_TRUE(this->ready({}, 10, true).empty());
}

TYPED_TEST(AnyStore, AnAnswerAboutReadyKeysNamesTheLeadersEpoch) {
  const std::int64_t epoch = this->session_->boot()->epoch;
  EXPECT_EQ(this->store_->ready({"default", false, {}, 10})->epoch, epoch);
  this->session_.reset();
  this->become_leader();
  EXPECT_EQ(this->store_->ready({"default", false, {}, 10})->epoch, epoch + 1);
}

TYPED_TEST(AnyStore, AValueThatNoRowCanHoldRefusesTheBatchAsDataAndTheSessionGoesOn) {
  ports::NewJob bad = this->new_job();
  bad.spec.name = std::string("a\0b", 3);
  const ports::NewJob good = this->new_job();
  const auto failed =
      this->session_->commit(std::vector<ports::Change>{ports::InsertJobs{{good}}, ports::InsertJobs{{bad}}});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::data);
  EXPECT_FALSE(*this->store_->job(good.number));
  this->apply(ports::InsertJobs{{good}});
}

TYPED_TEST(AnyStore, ADeposedLeaderCommitsNothing) {
  const ports::NewJob job = this->new_job();
  this->depose();
  const auto failed = this->session_->commit(std::vector<ports::Change>{ports::InsertJobs{{job}}});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  EXPECT_FALSE(*this->store_->job(job.number));
  this->session_.reset();
  this->become_leader();
  this->apply(ports::InsertJobs{{job}});
}

TYPED_TEST(AnyStore, NumbersThatAreGivenBackAreTheNextUnlessOthersWereReservedSince) {
  const JobNumber first = *this->session_->reserve_numbers(10);
  ASSERT_TRUE(this->session_->give_back_numbers(JobNumber{first.value + 4}, 6).ok());
  const JobNumber next = *this->session_->reserve_numbers(5);
  EXPECT_EQ(next.value, first.value + 4);
  EXPECT_EQ(this->session_->reserve_numbers(1)->value, first.value + 9);
  ASSERT_TRUE(this->session_->give_back_numbers(next, 5).ok());
  EXPECT_EQ(this->session_->reserve_numbers(1)->value, first.value + 10);
}

// Such as one that somebody wrote by hand: nobody decided what becomes of its job.
TYPED_TEST(AnyStore, ALeaseThatMemoryDoesNotKnowIsNotEnded) {
  const WorkerId who = this->worker("i-1");
  const JobNumber job = this->insert();
  const ports::OpenAttempt open = this->claim(job, who);
  ports::EndAttempt end;
  end.job = job;
  end.attempt = open.attempt;
  end.token_hash = open.token_hash;
  end.now = this->now_;
  EXPECT_EQ(this->refusal(end).code, Errc::stale);
  const ports::JobRow row = **this->store_->job(job);
  EXPECT_EQ(row.state, core::JobState::running) << "the lease is open still";
  EXPECT_EQ(row.counters.failures, 0);
}

TYPED_TEST(AnyStore, ACountIsOfWhatWasReadyWhenItBegan) {
  const WorkerId who = this->worker("i-1");
  const auto numbers = this->insert_many(4);
  this->claim(numbers[0], who);
  this->change(numbers[1], core::JobAction::hold);
  this->insert("urgent");
  ports::NewJob later = this->new_job();
  later.spec.run_at = this->now_ + Seconds{60};
  this->apply(ports::InsertJobs{{later}});
  const auto count = *this->store_->open_count();
  this->insert();
  ASSERT_TRUE(count->begin().ok());
  this->insert();
  this->claim(numbers[2], who);
  this->insert("new");
  const auto depths = *count->result();
  ASSERT_EQ(depths.size(), 2U);
  EXPECT_EQ(depths[0].queue, "default");
  EXPECT_EQ(depths[0].ready, 3);
  EXPECT_EQ(depths[1].queue, "urgent");
  EXPECT_EQ(depths[1].ready, 1);
}

TYPED_TEST(AnyStore, ACountThatWasCancelledSaysSo) {
  const auto count = *this->store_->open_count();
  ASSERT_TRUE(count->begin().ok());
  count->cancel();
  const auto depths = count->result();
  ASSERT_FALSE(depths.ok());
  EXPECT_EQ(depths.error().code, Errc::unavailable);
}

TYPED_TEST(AnyStore, ThereIsOneLeaderAndItsBootHasAllThatIsOpen) {
  const auto second = this->store_->lead();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::conflict);
  const WorkerId who = this->worker("i-1");
  const auto numbers = this->insert_many(3);
  this->claim(numbers[0], who);
  this->apply(ports::SetPaused{true, this->now_});
  this->apply(ports::PutSettings{{{"lease_s", "77"}}, this->now_});
  const auto state = *this->session_->boot();
  ASSERT_EQ(state.open.size(), 1U);
  EXPECT_EQ(state.open[0].job, numbers[0]);
  EXPECT_EQ(state.open[0].task, this->new_job().spec.task);
  EXPECT_EQ(state.workers.size(), 1U);
  EXPECT_EQ(state.pools.size(), 1U);
  EXPECT_TRUE(state.paused);
  EXPECT_EQ(state.settings, (std::vector<std::pair<std::string, std::string>>{{"lease_s", "77"}}));
}

}  // namespace
}  // namespace drover::testing
