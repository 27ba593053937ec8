#include "drover/base/text.hpp"
#include "drover/ports/tokens.hpp"

#include "pg_writer_test.hpp"

namespace drover::testing {
namespace {

using core::JobAction;
using core::JobState;
using core::Outcome;

class PgJobs : public PgWriterTest {
 protected:
  std::vector<std::int64_t> listed(const ports::JobFilter& filter) {
    std::vector<std::int64_t> out;
    const auto rows = store_->jobs(filter);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    if (!rows.ok()) return out;
    for (const auto& row : *rows) out.push_back(row.number.value);
    return out;
  }
};

TEST_F(PgJobs, KeepsEveryFieldOfAJobAsItWasGiven) {
  ports::NewJob in = new_job("urgent");
  in.spec.owner = "ann";
  in.spec.priority = 7;
  in.spec.resources = {0.5, 128, 256, 1};
  in.spec.labels = {{"z", "last first"}, {"a", "\"quoted\""}};
  in.spec.retry = {5, 2, Seconds{9}};
  in.spec.timeout = Seconds{77};
  in.spec.run_at = now_ + Seconds{3600};
  apply(ports::InsertJobs{{in}});
  const ports::JobRow out = job(in.number);
  EXPECT_EQ(out.id, in.id);
  EXPECT_EQ(out.spec.queue, "urgent");
  EXPECT_EQ(out.spec.name, "render");
  EXPECT_EQ(out.spec.owner, "ann");
  EXPECT_EQ(out.spec.priority, 7);
  EXPECT_EQ(out.spec.task, in.spec.task);
  EXPECT_EQ(out.spec.resources, in.spec.resources);
  EXPECT_EQ(out.spec.labels, in.spec.labels);
  EXPECT_EQ(out.spec.retry, in.spec.retry);
  EXPECT_EQ(out.spec.timeout, Seconds{77});
  EXPECT_EQ(out.spec.run_at, in.spec.run_at);
  EXPECT_EQ(out.wake_at, in.spec.run_at);
  EXPECT_EQ(out.created, now_);
  EXPECT_EQ(out.state, JobState::queued);
  EXPECT_EQ(sql("SELECT label FROM job_label ORDER BY label"),
            (std::vector<std::string>{"a=\"quoted\"", "z=last first"}));
}

TEST_F(PgJobs, AClaimOpensAnAttemptAndWritesNoJob) {
  const WorkerId who = worker("i-1");
  const JobNumber number = insert();
  const std::string version = value("SELECT xmin || '/' || xmax || '/' || ctid FROM jobs");
  const ports::OpenAttempt open = claim(number, who);
  EXPECT_EQ(open.job, number);
  EXPECT_EQ(open.attempt, 1);
  EXPECT_EQ(open.worker, who);
  EXPECT_EQ(open.queue, "default");
  EXPECT_EQ(open.retry.max_attempts, 3);
  EXPECT_EQ(open.token_hash,
            sha256(ports::attempt_token(Secret("worker token"), "nonce-1", number, 1).reveal()));
  EXPECT_EQ(value("SELECT xmin || '/' || xmax || '/' || ctid FROM jobs"), version);
  EXPECT_EQ(value("SELECT count(*) FROM jobs_live"), "1");
  const ports::JobRow row = job(number);
  EXPECT_EQ(row.state, JobState::running);
  EXPECT_EQ(row.attempts, 1);
  EXPECT_EQ(row.worker, "i-1");
  EXPECT_EQ(row.started, now_);
}

TEST_F(PgJobs, AClaimIsRefusedWithTheReasonWhenItsPreconditionFails) {
  const WorkerId who = worker("i-1");
  const JobNumber leased = insert();
  claim(leased, who);
  EXPECT_EQ(refusal(claim_command(leased, who)).code, Errc::conflict);
  const JobNumber held = insert();
  change(held, JobAction::hold);
  EXPECT_NE(refusal(claim_command(held, who)).message.find("it is held"), std::string::npos);
  ports::NewJob later = new_job();
  later.spec.run_at = now_ + Seconds{60};
  apply(ports::InsertJobs{{later}});
  EXPECT_NE(refusal(claim_command(later.number, who)).message.find("time has not come"), std::string::npos);
  EXPECT_NE(refusal(claim_command(JobNumber{99'999}, who)).message.find("not alive"), std::string::npos);
  const JobNumber free = insert();
  apply(ports::MoveWorker{who, core::WorkerMove::drain, "", now_});
  EXPECT_NE(refusal(claim_command(free, who)).message.find("draining"), std::string::npos);
  EXPECT_EQ(value("SELECT count(*) FROM lease"), "1");
}

TEST_F(PgJobs, AnEndMovesAFinishedJobToHistoryAndARetriedOneBackToTheQueue) {
  const WorkerId who = worker("i-1");
  const JobNumber number = insert();
  const auto failed = end(claim(number, who), Outcome::failure);
  EXPECT_EQ(failed.state, JobState::queued);
  EXPECT_EQ(failed.wake_at, now_ + Seconds{5});
  EXPECT_EQ(job(number).counters.failures, 1);
  EXPECT_EQ(apply(ports::WakeJobs{now_ + Seconds{4}, 10}).next, now_ + Seconds{5});
  const auto woken = apply(ports::WakeJobs{now_ + Seconds{5}, 10});
  ASSERT_EQ(woken.ready.size(), 1U);
  EXPECT_EQ(woken.ready[0].key.number, number.value);
  EXPECT_FALSE(woken.next);
  const ports::OpenAttempt second = claim(number, who);
  EXPECT_EQ(second.attempt, 2);
  EXPECT_EQ(second.counters.failures, 1);
  EXPECT_EQ(end(second, Outcome::succeeded).state, JobState::succeeded);
  const ports::JobRow row = job(number);
  EXPECT_EQ(row.state, JobState::succeeded);
  EXPECT_EQ(row.finished, now_);
  EXPECT_EQ(row.attempts, 2);
  EXPECT_EQ(row.exit_code, 0);
  EXPECT_EQ(value("SELECT count(*) FROM jobs_live"), "0");
  EXPECT_EQ(value("SELECT count(*) FROM jobs_default"), "0");  // a day's own partition took it
  const auto attempts = *store_->attempts(number);
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(attempts[0].outcome, Outcome::failure);
  EXPECT_EQ(attempts[0].exit_code, 3);
  EXPECT_EQ(attempts[1].instance_id, "i-1");
}

TEST_F(PgJobs, ARepeatedReportIsAcceptedAndAnyOtherIsStale) {
  const WorkerId who = worker("i-1");
  const ports::OpenAttempt open = claim(insert(), who);
  ports::EndAttempt foreign = end_command(open, Outcome::succeeded);
  foreign.token_hash = sha256("another");
  EXPECT_EQ(refusal(foreign).code, Errc::stale);
  EXPECT_EQ(job(open.job).state, JobState::running);
  EXPECT_FALSE(end(open, Outcome::succeeded).repeated);
  const auto again = end(open, Outcome::succeeded);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.state, JobState::succeeded);
  EXPECT_EQ(refusal(end_command(open, Outcome::failure)).code, Errc::stale);
  EXPECT_EQ(refusal(foreign).code, Errc::stale);
  ports::EndAttempt ours = end_command(open, Outcome::succeeded);
  ours.token_hash.reset();
  EXPECT_EQ(refusal(ours).code, Errc::stale);
  ports::EndAttempt unknown = end_command(open, Outcome::succeeded);
  unknown.job = JobNumber{99'999};
  EXPECT_EQ(refusal(unknown).code, Errc::not_found);
  EXPECT_EQ(store_->attempts(open.job)->size(), 1U);
}

TEST_F(PgJobs, ARepeatedReleaseIsRecognisedHoweverItWasClassified) {
  const WorkerId who = worker("i-1");
  for (const Outcome outcome : {Outcome::interruption, Outcome::infra}) {
    const ports::OpenAttempt open = claim(insert(), who);
    ports::EndAttempt release = end_command(open, outcome);
    release.released = true;
    EXPECT_FALSE(apply(release).repeated);
    release.outcome = outcome == Outcome::infra ? Outcome::interruption : Outcome::infra;
    EXPECT_TRUE(apply(release).repeated);
    EXPECT_EQ(refusal(end_command(open, Outcome::failure)).code, Errc::stale);
  }
  // What the daemon ended was no report: none can be a repeat of it.
  const ports::OpenAttempt open = claim(insert(), who);
  ports::EndAttempt expiry = end_command(open, Outcome::infra);
  expiry.token_hash.reset();
  EXPECT_FALSE(apply(expiry).repeated);
  ports::EndAttempt late = end_command(open, Outcome::infra);
  EXPECT_EQ(refusal(late).code, Errc::stale);
  late.released = true;
  EXPECT_EQ(refusal(late).code, Errc::stale);
}

TEST_F(PgJobs, RemembersTheWorkersOfInfraEndsOnce) {
  const WorkerId one = worker("i-1");
  const WorkerId two = worker("i-2");
  const JobNumber number = insert();
  end(claim(number, one), Outcome::infra);
  end(claim(number, one), Outcome::infra);
  end(claim(number, two), Outcome::infra);
  const ports::OpenAttempt open = claim(number, two);
  EXPECT_EQ(open.infra_workers, (std::vector<WorkerId>{one, two}));
  EXPECT_EQ(open.counters.infra, 3);
}

TEST_F(PgJobs, ASuspectIsKeptApartFromTheOthersUntilItIsNone) {
  const WorkerId who = worker("i-1");
  const JobNumber number = insert();
  ports::EndAttempt shared = end_command(claim(number, who), Outcome::infra);
  shared.disposition->charged = false;
  shared.disposition->charges = 0;
  shared.disposition->alone = Seconds{90};
  apply(shared);
  EXPECT_EQ(ready({}, 10, true).size(), 1U);
  EXPECT_TRUE(ready().empty());
  EXPECT_EQ(job(number).alone, Seconds{90});
  EXPECT_TRUE(change(number, JobAction::hold).suspect);
  EXPECT_TRUE(change(number, JobAction::release).suspect);

  const ports::OpenAttempt open = claim(number, who);
  EXPECT_EQ(open.alone, Seconds{90});
  EXPECT_TRUE(open.infra_workers.empty()) << "it was not charged";
  EXPECT_EQ((*session_->boot()).open.at(0).alone, Seconds{90}) << "a new leader knows";
  EXPECT_TRUE(ready({}, 10, true).empty());
  ports::EndAttempt last = end_command(open, Outcome::infra);
  last.disposition->state = JobState::failed;
  apply(last);
  EXPECT_EQ(job(number).charges, 1);

  const auto anew = change(number, JobAction::requeue);
  EXPECT_FALSE(anew.suspect);
  EXPECT_EQ(ready().size(), 1U);
  EXPECT_EQ(job(number).alone, Seconds{0});
  EXPECT_EQ(job(number).charges, 0);
}

TEST_F(PgJobs, HoldReleaseCancelAndRequeueGoRound) {
  const JobNumber number = insert();
  EXPECT_TRUE(change(number, JobAction::hold).was_ready);
  EXPECT_FALSE(change(number, JobAction::hold).changed);
  EXPECT_EQ(job(number).state, JobState::held);
  EXPECT_EQ(change(number, JobAction::release).after, JobState::queued);
  const auto cancelled = change(number, JobAction::cancel);
  EXPECT_EQ(cancelled.before, JobState::queued);
  EXPECT_EQ(cancelled.after, JobState::cancelled);
  EXPECT_EQ(job(number).finished, now_);
  EXPECT_FALSE(change(number, JobAction::cancel).changed);
  EXPECT_EQ(refusal(ports::ActOnJob{number, {}, JobAction::hold, now_}).code, Errc::conflict);
  const auto again = change(number, JobAction::requeue);
  EXPECT_EQ(again.before, JobState::cancelled);
  EXPECT_EQ(again.after, JobState::queued);
  EXPECT_FALSE(job(number).finished);
  EXPECT_EQ(value("SELECT count(*) FROM jobs_live"), "1");
  EXPECT_EQ(refusal(ports::ActOnJob{JobNumber{99'999}, {}, JobAction::hold, now_}).code, Errc::not_found);
  EXPECT_EQ(refusal(ports::ActOnJob{number, make_random_uuid(), JobAction::hold, now_}).code,
            Errc::not_found);
}

TEST_F(PgJobs, ARequeuedJobStartsItsCountersAnewAndNumbersItsAttemptsOn) {
  const WorkerId who = worker("i-1");
  ports::NewJob one = new_job();
  one.spec.retry.max_attempts = 1;
  apply(ports::InsertJobs{{one}});
  EXPECT_EQ(end(claim(one.number, who), Outcome::failure).state, JobState::failed);
  change(one.number, JobAction::requeue);
  const ports::OpenAttempt open = claim(one.number, who);
  EXPECT_EQ(open.attempt, 2);
  EXPECT_EQ(open.counters, core::Counters{});
  EXPECT_EQ(end(open, Outcome::succeeded).state, JobState::succeeded);
}

TEST_F(PgJobs, AnActionOnARunningJobIsAWishOnItsLease) {
  const WorkerId who = worker("i-1");
  const ports::OpenAttempt open = claim(insert(), who);
  const auto held = change(open.job, JobAction::hold);
  EXPECT_EQ(held.before, JobState::running);
  EXPECT_EQ(held.after, JobState::stopping);
  EXPECT_FALSE(held.was_ready);
  EXPECT_EQ(change(open.job, JobAction::release).after, JobState::running);
  change(open.job, JobAction::cancel);
  EXPECT_EQ(job(open.job).state, JobState::stopping);
  const auto boot = *session_->boot();
  ASSERT_EQ(boot.open.size(), 1U);
  EXPECT_EQ(boot.open[0].wanted, JobState::cancelled);
  ports::EndAttempt stopped = end_command(open, Outcome::stopped);
  stopped.disposition->state = JobState::cancelled;
  EXPECT_EQ(apply(stopped).state, JobState::cancelled);
}

TEST_F(PgJobs, AnArtifactNeedsTheOpenAttemptsToken) {
  const WorkerId who = worker("i-1");
  const ports::OpenAttempt open = claim(insert(), who);
  const std::string name(ports::kCheckpointName);
  ports::PutArtifact put{open.job, 1, open.token_hash, name, 10, sha256("bytes"), now_};
  apply(put);
  put.size = 11;
  apply(put);
  ports::PutArtifact foreign = put;
  foreign.token_hash = sha256("another");
  EXPECT_EQ(refusal(foreign).code, Errc::stale);
  end(open, Outcome::interruption);
  EXPECT_EQ(refusal(put).code, Errc::stale);
  const ports::OpenAttempt second = claim(open.job, who);
  EXPECT_TRUE(second.has_checkpoint);
  EXPECT_EQ(second.checkpoint_attempt, 1);
  EXPECT_TRUE(store_->artifacts(open.job, "", 10000)->empty()) << "a checkpoint is no artifact";
  const auto kept = **store_->artifact(open.job, name);
  EXPECT_EQ(kept.size, 11);
  EXPECT_EQ(kept.sha256, sha256("bytes"));
}

TEST_F(PgJobs, AnArtifactOfWhateverNameIsNoCheckpoint) {
  const WorkerId who = worker("i-1");
  const ports::OpenAttempt open = claim(insert(), who);
  for (const char* name : {"checkpoint.tar.gz", "checkpoint", "d/checkpoint"}) {
    apply(ports::PutArtifact{open.job, 1, open.token_hash, name, 10, sha256("bytes"), now_});
  }
  end(open, Outcome::interruption);
  EXPECT_FALSE(claim(open.job, who).has_checkpoint);
  EXPECT_EQ(store_->artifacts(open.job, "", 10000)->size(), 3U);
  EXPECT_EQ((*store_->artifact(open.job, "d/checkpoint"))->attempt, 1);
  EXPECT_FALSE(store_->artifact(open.job, "d")->has_value());
}

TEST_F(PgJobs, AWorkerOfTheFirstVersionKeepsItsCheckpointAsAnArtifact) {
  const WorkerId who = worker("i-1");
  sql("UPDATE worker SET version = '1'");
  const ports::OpenAttempt open = claim(insert(), who);
  apply(ports::PutArtifact{open.job, 1, open.token_hash, "checkpoint.tar.gz", 10, sha256("bytes"), now_});
  apply(ports::PutArtifact{open.job, 1, open.token_hash, "other", 10, sha256("bytes"), now_});
  end(open, Outcome::interruption);
  EXPECT_TRUE(claim(open.job, who).has_checkpoint);
  EXPECT_EQ(store_->artifacts(open.job, "", 10000)->size(), 1U);
}

TEST_F(PgJobs, AnAttemptHasAThousandArtifactsAndItsCheckpoint) {
  const WorkerId who = worker("i-1");
  const ports::OpenAttempt open = claim(insert(), who);
  sql("INSERT INTO artifact (number, name, attempt, size, sha256, created_at) SELECT " +
      std::to_string(open.job.value) + ", 'f' || n, 1, 1, sha256(''), now() FROM generate_series(1, 999) n");
  ports::PutArtifact put{open.job, 1, open.token_hash, "last", 10, sha256("bytes"), now_};
  apply(put);
  put.name = "one more";
  EXPECT_EQ(refusal(put).code, Errc::too_large);
  put.name = "last";  // once more
  apply(put);
  put.name = ports::kCheckpointName;
  apply(put);
  EXPECT_EQ(store_->artifacts(open.job, "", 10000)->size(), 1000U);
  const auto page = *store_->artifacts(open.job, "f10", 3);
  ASSERT_EQ(page.size(), 3U);
  EXPECT_EQ(page[0].name, "f100");
  EXPECT_EQ(page[2].name, "f102");
  end(open, Outcome::interruption);
  const ports::OpenAttempt second = claim(open.job, who);
  apply(ports::PutArtifact{open.job, 2, second.token_hash, "one more", 10, sha256("bytes"), now_});
}

TEST_F(PgJobs, AJobShowsHowItsLatestAttemptEnded) {
  const WorkerId who = worker("i-1");
  const ports::OpenAttempt open = claim(insert(), who);
  ports::EndAttempt killed = end_command(open, Outcome::interruption);
  killed.exit_code.reset();
  killed.signal = 9;
  apply(killed);
  EXPECT_EQ(job(open.job).signal, 9);
  EXPECT_FALSE(job(open.job).exit_code);
  ports::EndAttempt coded = end_command(claim(open.job, who), Outcome::interruption);
  coded.exit_code = 150;
  apply(coded);
  EXPECT_EQ(job(open.job).exit_code, 150);
  EXPECT_FALSE(job(open.job).signal);
  EXPECT_EQ((*store_->attempts(open.job))[0].signal, 9);
}

TEST_F(PgJobs, OneBatchDoesManyThingsAndAnswersEachInItsPlace) {
  const WorkerId who = worker("i-1");
  const auto jobs = insert_many(1000);
  std::vector<ports::Change> claims;
  for (const JobNumber number : jobs) claims.push_back(claim_command(number, who));
  std::vector<ports::Change> ends;
  for (const auto& settled : commit(claims)) {
    ends.push_back(end_command(ports::result_of<ports::ClaimJob>(settled)->attempt, Outcome::succeeded));
  }
  std::get<ports::EndAttempt>(ends[17]).token_hash = sha256("another");
  const auto ended = commit(ends);
  for (std::size_t i = 0; i < ended.size(); ++i) {
    ASSERT_EQ(ports::refusal(ended[i]) == nullptr, i != 17);
    if (i == 17) continue;
    EXPECT_EQ(ports::result_of<ports::EndAttempt>(ended[i])->key.number, jobs[i].value);
  }
  std::vector<ports::Change> requeues;
  for (const JobNumber number : jobs)
    requeues.push_back(ports::ActOnJob{number, {}, JobAction::requeue, now_});
  std::size_t changed = 0;
  for (const auto& settled : commit(requeues)) {
    changed += ports::result_of<ports::ActOnJob>(settled)->changed ? 1 : 0;
  }
  EXPECT_EQ(changed, 999U);
  EXPECT_EQ(value("SELECT count(*) FROM jobs_live"), "1000");
  EXPECT_EQ(value("SELECT count(*) = max(id) FROM event"), "f");  // refused commands leave gaps …
  EXPECT_EQ(value("SELECT count(*) = count(DISTINCT id) FROM event"), "t");  // … and nothing twice
}

TEST_F(PgJobs, AValueThatTheDatabaseRefusesFailsTheBatchAsDataAndTheSessionGoesOn) {
  ports::NewJob bad = new_job();
  bad.spec.name = std::string("a\0b", 3);
  ports::NewJob good = new_job();
  const auto failed =
      session_->commit(std::vector<ports::Change>{ports::InsertJobs{{good}}, ports::InsertJobs{{bad}}});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::data);
  EXPECT_EQ(value("SELECT count(*) FROM jobs"), "0");
  apply(ports::InsertJobs{{good}});
  const auto twice = session_->commit(std::vector<ports::Change>{ports::InsertJobs{{good}}});
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().code, Errc::data);
  EXPECT_EQ(twice.error().detail, "23505");
}

TEST_F(PgJobs, TheReadyKeysComeInOrderWithoutLeasedHeldOrWaitingJobs) {
  const WorkerId who = worker("i-1");
  const JobNumber low = insert();
  ports::NewJob high = new_job();
  high.spec.priority = 5;
  ports::NewJob later = new_job();
  later.spec.run_at = now_ + Seconds{60};
  apply(ports::InsertJobs{{high, later}});
  const JobNumber held = insert();
  change(held, JobAction::hold);
  claim(insert(), who);
  insert("urgent");
  const auto keys = ready();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0], (core::ReadyKey{-5, high.number.value}));
  EXPECT_EQ(keys[1], (core::ReadyKey{0, low.value}));
  EXPECT_EQ(ready(keys[0]).size(), 1U);
  EXPECT_EQ(ready({}, 1).size(), 1U);
  EXPECT_EQ(session_->boot()->next_wake, later.spec.run_at);
}

TEST_F(PgJobs, ListsRunNewestFirstByKeyThroughEveryFilter) {
  const WorkerId who = worker("i-1");
  const auto jobs = insert_many(6);
  const JobNumber urgent = insert("urgent");
  claim(jobs[0], who);
  const auto stopping = claim(jobs[1], who);
  change(stopping.job, JobAction::cancel);
  end(claim(jobs[2], who), Outcome::succeeded);
  change(jobs[3], JobAction::hold);
  change(jobs[4], JobAction::cancel);
  struct Case {
    std::optional<JobState> state;
    const char* queue;
    const char* name;
    std::vector<std::int64_t> expected;
  };
  const auto n = [&](std::size_t i) { return jobs[i].value; };
  const std::optional<JobState> any;
  const Case cases[] = {
      {any, "", "", {urgent.value, n(5), n(4), n(3), n(2), n(1), n(0)}},
      {any, "urgent", "", {urgent.value}},
      {any, "", "render", {urgent.value, n(5), n(4), n(3), n(2), n(1), n(0)}},
      {any, "urgent", "render", {urgent.value}},
      {any, "urgent", "other", {}},
      {JobState::queued, "", "", {urgent.value, n(5)}},
      {JobState::queued, "default", "", {n(5)}},
      {JobState::queued, "", "render", {urgent.value, n(5)}},
      {JobState::queued, "urgent", "render", {urgent.value}},
      {JobState::held, "", "", {n(3)}},
      {JobState::running, "", "", {n(0)}},
      {JobState::running, "default", "render", {n(0)}},
      {JobState::running, "urgent", "", {}},
      {JobState::stopping, "", "", {n(1)}},
      {JobState::succeeded, "", "", {n(2)}},
      {JobState::succeeded, "default", "", {n(2)}},
      {JobState::succeeded, "", "render", {n(2)}},
      {JobState::succeeded, "default", "render", {n(2)}},
      {JobState::succeeded, "urgent", "render", {}},
      {JobState::cancelled, "", "", {n(4)}},
  };
  for (const Case& c : cases) {
    ports::JobFilter filter;
    filter.state = c.state;
    if (*c.queue != '\0') filter.queue = c.queue;
    if (*c.name != '\0') filter.name = c.name;
    EXPECT_EQ(listed(filter), c.expected) << &c - cases;
  }
  ports::JobFilter page;
  page.before = jobs[4];
  page.limit = 2;
  EXPECT_EQ(listed(page), (std::vector<std::int64_t>{n(3), n(2)}));
}

}  // namespace
}  // namespace drover::testing
