#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "drover/ports/store.hpp"

namespace drover::testing {

// A store whose leader this test is, and the few rows that most tests need. `Backend` is a fixture that has a
// store of its own, `store_`.
template <class Backend>
class StoreCase : public Backend {
 protected:
  using Backend::store_;

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(become_leader());
    pool_ = apply(ports::PutPool{pool_spec("main"), true, {}, "", now_}).pool.id;
  }

  void become_leader() {
    auto led = store_->lead();
    ASSERT_TRUE(led.ok()) << led.error().message;
    session_ = std::move(*led);
    ASSERT_TRUE(store_->make_partitions(now_).ok());
  }

  [[nodiscard]] std::vector<core::ReadyKey> ready(std::optional<core::ReadyKey> after = {}, int limit = 10,
                                                  bool suspects = false) {
    const auto answer = store_->ready({"default", suspects, after, limit});
    EXPECT_TRUE(answer.ok()) << answer.error().message;
    return answer.ok() ? answer->keys : std::vector<core::ReadyKey>();
  }

  static core::PoolSpec pool_spec(const std::string& name) {
    core::PoolSpec spec;
    spec.name = name;
    spec.queues = {"default", "urgent"};
    spec.max = 10;
    spec.slots = 4;
    spec.instances_per_job = 0.5;
    spec.instance_types = {"c7g.large", "c7g.xlarge"};
    spec.image = "ami-1";
    return spec;
  }

  std::vector<ports::Settled> commit(const std::vector<ports::Change>& batch) {
    auto done = session_->commit(batch);
    EXPECT_TRUE(done.ok()) << done.error().message;
    if (done.ok()) return std::move(*done);
    std::vector<ports::Settled> out;
    for (const ports::Change& change : batch) out.push_back(ports::refused(change, done.error()));
    return out;
  }
  // One change that must be accepted.
  template <class C>
  ports::AnswerOf<C> apply(C change) {
    const auto settled = commit({std::move(change)});
    const auto& result = ports::result_of<C>(settled.front());
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *result : ports::AnswerOf<C>{};
  }
  // One change that must be refused.
  Error refusal(ports::Change change) {
    const auto settled = commit({std::move(change)});
    const Error* error = ports::refusal(settled.front());
    EXPECT_NE(error, nullptr) << "accepted";
    return error == nullptr ? Error{} : *error;
  }

  ports::NewJob new_job(const std::string& queue = "default") {
    const JobNumber number = *session_->reserve_numbers(1);
    ports::NewJob job{number, make_job_id(number, now_, 1), {}, now_};
    job.spec.queue = queue;
    job.spec.name = "render";
    job.spec.task = R"({"command": "true",  "env": {"B": "1", "A": "2"}})";
    job.spec.retry.max_attempts = 3;
    return job;
  }
  JobNumber insert(const std::string& queue = "default") {
    ports::NewJob job = new_job(queue);
    apply(ports::InsertJobs{{job}});
    return job.number;
  }
  std::vector<JobNumber> insert_many(int count) {
    ports::InsertJobs insert;
    const JobNumber first = *session_->reserve_numbers(count);
    ports::NewJob job = new_job();
    std::vector<JobNumber> out;
    for (int i = 0; i < count; ++i) {
      job.number = JobNumber{first.value + i};
      job.id = make_job_id(job.number, now_, 1);
      out.push_back(job.number);
      insert.jobs.push_back(job);
    }
    apply(insert);
    return out;
  }

  // A launch whose instances are known and registered.
  WorkerId worker(const std::string& instance) {
    const Sha256 bootstrap = sha256("bootstrap of " + instance);
    const LaunchId launch = insert_launch(instance, bootstrap);
    record(launch, {instance});
    return registered(instance, bootstrap).worker.id;
  }
  LaunchId insert_launch(const std::string& client_token, const Sha256& bootstrap) {
    core::LaunchRequest request;
    request.client_token = client_token;
    request.instance_type = "c7g.large";
    request.user_data = "#!/bin/sh\n'\"\\ @DROVER_BOOTSTRAP_TOKEN@\n";
    request.tags = {{"drover:pool", "main"}};
    return apply(ports::InsertLaunch{pool_, request, bootstrap, "demand", now_}).launch;
  }
  std::vector<ports::WorkerRow> record(LaunchId launch, const std::vector<std::string>& ids,
                                       const std::string& error = "") {
    ports::RecordLaunch record{launch, core::LaunchState::fulfilled, {}, error, now_};
    for (const std::string& id : ids) {
      core::Instance& instance = record.instances.emplace_back();
      instance.id = id;
      instance.type = "c7g.large";
      instance.spot = true;
    }
    return apply(record).workers;
  }
  static ports::RegisterWorker registration(const std::string& instance, const Sha256& bootstrap,
                                            WallTime now) {
    ports::RegisterWorker out;
    out.instance_id = instance;
    out.bootstrap_hash = bootstrap;
    out.token_hash = sha256("token of " + instance);
    out.nonce = "nonce of " + instance;
    out.slots = 4;
    out.capacity = {2, 4096, 10'000, 0};
    out.hostname = "host";
    out.now = now;
    return out;
  }
  ports::RegisterWorker::Answer registered(const std::string& instance, const Sha256& bootstrap) {
    return apply(registration(instance, bootstrap, now_));
  }

  ports::ClaimJob claim_command(JobNumber job, WorkerId who) const {
    return {job, who, "nonce-1", Secret("worker token"), now_};
  }
  ports::OpenAttempt claim(JobNumber job, WorkerId who) { return apply(claim_command(job, who)).attempt; }

  ports::EndAttempt end_command(const ports::OpenAttempt& open, core::Outcome outcome) const {
    ports::EndAttempt end;
    end.job = open.job;
    end.attempt = open.attempt;
    end.token_hash = open.token_hash;
    end.outcome = outcome;
    end.exit_code = outcome == core::Outcome::succeeded ? 0 : 3;
    core::EndedAttempt ended{outcome, core::JobState::running, open.counters, open.retry, 1, ""};
    ended.charges = open.charges;
    end.disposition = core::decide_end(ended);
    if (outcome == core::Outcome::infra) end.disposition->delay = Seconds{0};  // may be claimed again at once
    end.now = now_;
    return end;
  }
  ports::EndAttempt::Answer end(const ports::OpenAttempt& open, core::Outcome outcome) {
    return apply(end_command(open, outcome));
  }
  ports::ActOnJob::Answer change(JobNumber job, core::JobAction action) {
    return apply(ports::ActOnJob{job, {}, action, now_});
  }
  ports::JobRow job(JobNumber number) {
    auto row = store_->job(number);
    EXPECT_TRUE(row.ok() && *row) << "no job " << number.value;
    return row.ok() && *row ? **row : ports::JobRow{};
  }

  const WallTime now_ = SystemClock().wall();
  std::unique_ptr<ports::LeaderSession> session_;
  PoolId pool_;
};

}  // namespace drover::testing
