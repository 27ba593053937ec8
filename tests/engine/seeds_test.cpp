// The whole engine in one thread over the store in memory. A seed says what clients and workers ask for, when
// the writer carries out what it was given, which commits fail or stay in doubt, and when time passes. Memory
// is compared with the store's rows all the while; in the end every job must have come to its own end, and
// what was answered must be what is stored. DROVER_SEEDS says how many seeds are tried (ten thousand, or
// some hundreds under a sanitizer); a failing one is named, and runs alone with DROVER_SEED.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "drover/base/log.hpp"

#include "engine/one_thread.hpp"

namespace drover::engine {
namespace {

using core::JobState;
using memstore::Fault;
using testing::Answer;
using testing::job_spec;

using AttemptKey = std::pair<JobNumber, int>;

struct Machine {
  WorkerAuth auth;
  std::string instance;
  bool silent = false;
  std::vector<ClaimedJob> has;
  int nonces = 0;
  std::vector<Answer<ClaimAnswer>> polls;  // that are not answered yet: the last is the one that counts
  struct Beat {
    Answer<HeartbeatAnswer> answer;
    std::vector<AttemptKey> listed;
    std::shared_ptr<WallTime> answered;
  };
  std::vector<Beat> beats;
  struct Sent {
    ClaimedJob job;
    std::optional<core::Outcome> outcome;
    Answer<ReportAnswer> answer;
  };
  std::vector<Sent> reports;
  [[nodiscard]] std::string nonce() const { return "n" + std::to_string(nonces); }
};

class World : public testing::OneThread {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}

  void run() {
    lead();
    taken(apply(ports::PutSettings{{{"heartbeat_interval_s", "1"}, {"lease_s", "5"}}, clock.wall()}));
    for (int i = 0; i < 3; ++i) add_machine();
    for (int step = 0; step < 200; ++step) act_somehow();
    come_to_an_end();
    judge();
  }

 private:
  static constexpr std::array<const char*, 2> kQueues{"default", "other"};

  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  bool one_in(int times) { return below(times) == 0; }
  Machine& some_machine() {
    return machines_[static_cast<std::size_t>(below(static_cast<int>(machines_.size())))];
  }

  void add_machine() {
    Machine machine;
    machine.instance = "i-" + std::to_string(++instances_);
    machine.auth = add_worker(machine.instance, 1 + below(3), kQueues[static_cast<std::size_t>(below(2))]);
    machines_.push_back(std::move(machine));
  }

  void act_somehow() {
    switch (below(26)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        look();
        break;
      case 6:
      case 7:
      case 8:
      case 9:
        write();
        break;
      case 10:
      case 11:
        clock.pass(Millis{1 + below(900)});
        break;
      case 12:
      case 13:
        submit_some();
        break;
      case 14:
      case 15:
      case 16:
        poll_some(some_machine());
        break;
      case 17:
      case 18:
        beat(some_machine());
        break;
      case 19:
      case 20:
        report_some(some_machine());
        break;
      case 21:
        change_some_job();
        break;
      case 22:
        rarely();
        break;
      case 23:
        hear();
        count();
        break;
      case 24:
      case 25:
        read_keys();
        break;
    }
  }

  void look() {
    round();
    hear();
    if (parts().term.leading() && one_in(3)) compare();
  }

  void submit_some() {
    std::vector<core::JobSpec> specs;
    for (int i = 0; i <= below(3); ++i) {
      core::JobSpec spec = job_spec("job", kQueues[static_cast<std::size_t>(below(2))]);
      spec.priority = below(3);
      spec.hold = one_in(10);
      spec.retry.max_interruptions = one_in(4) ? 0 : 20;
      if (one_in(6)) spec.run_at = clock.wall() + Millis{below(3000)};
      specs.push_back(spec);
    }
    submissions_.push_back(submit(specs));
  }

  void poll_some(Machine& machine) {
    if (machine.silent) return;
    if (!machine.polls.empty() && !one_in(4)) return;
    // A poll of the same name while one is under way is a repeat: that one's connection broke.
    if (machine.polls.empty() && !one_in(5)) ++machine.nonces;
    machine.polls.push_back(poll(machine.auth, machine.nonce(), 1 + below(2), Seconds{below(3)}));
  }

  void beat(Machine& machine) {
    if (machine.silent) return;
    std::vector<AttemptKey> listed;
    for (const ClaimedJob& job : machine.has) listed.emplace_back(job.attempt.job, job.attempt.attempt);
    Heartbeat beat{machine.auth, {}, std::nullopt};
    for (const ClaimedJob& job : machine.has) beat.attempts.push_back(ref(job));
    auto answered = std::make_shared<WallTime>();
    machine.beats.push_back(
        {ask<HeartbeatAnswer>(ports::Lane::workers,
                              [this, beat, answered](Parts& to, const Place&, const auto& done) {
                                *answered = clock.wall();
                                hear_heartbeat(to, beat, done);
                              }),
         listed, answered});
  }

  void report_some(Machine& machine) {
    if (machine.silent || machine.has.empty()) return;
    const ClaimedJob job = machine.has[static_cast<std::size_t>(below(static_cast<int>(machine.has.size())))];
    std::optional<core::Outcome> outcome;
    const int way = below(10);
    if (way < 6) outcome = core::Outcome::succeeded;
    if (way == 6 || way == 7) outcome = core::Outcome::failure;
    if (way == 8) outcome = core::Outcome::infra;
    machine.reports.push_back({job, outcome, report(machine.auth, job, outcome)});
  }

  void change_some_job() {
    if (acknowledged_.empty()) return;
    auto of = acknowledged_.begin();
    std::advance(of, below(static_cast<int>(acknowledged_.size())));
    constexpr std::array kActions{core::JobAction::hold, core::JobAction::release, core::JobAction::release,
                                  core::JobAction::cancel};
    act(*of, kActions[static_cast<std::size_t>(below(4))]);
  }

  void rarely() {
    switch (below(8)) {
      case 0:
        apply(ports::SetPaused{one_in(2), clock.wall()});
        break;
      case 1: {
        Machine& machine = some_machine();
        lose_worker(machine.auth.worker, one_in(2) ? core::Outcome::infra : core::Outcome::interruption);
        machine.silent = true;
        break;
      }
      case 2:
        some_machine().silent = true;
        break;
      case 3:
        store.end_leader();
        break;
      case 4:
      case 5: {
        constexpr std::array kFaults{Fault::lost, Fault::doubt_committed, Fault::doubt_aborted,
                                     Fault::storage_full};
        std::vector<std::optional<Fault>> faults(static_cast<std::size_t>(below(3)), std::nullopt);
        faults.push_back(kFaults[static_cast<std::size_t>(below(4))]);
        store.plan_faults(faults);
        break;
      }
      case 6:
        clock.pass(Seconds{1 + below(6)});  // the process stands still
        break;
      case 7:
        parts().to_rescan.insert(kQueues[static_cast<std::size_t>(below(2))]);
        break;
    }
  }

  // What has been answered meanwhile reaches those who asked.
  void hear() {
    std::erase_if(submissions_, [&](const auto& one) {
      if (!*one) return false;
      if ((*one)->ok()) {
        for (const Submitted& job : ***one) {
          EXPECT_TRUE(acknowledged_.insert(job.number).second) << job.number.value << " was given twice";
        }
      }
      return true;
    });
    for (Machine& machine : machines_) hear(machine);
  }

  void hear(Machine& machine) {
    for (std::size_t i = 0; i < machine.polls.size(); ++i) {
      auto& answer = *machine.polls[i];
      if (!answer || !answer->ok()) continue;
      const std::vector<ClaimedJob>& jobs = (*answer)->jobs;
      const bool broken = i + 1 < machine.polls.size();
      if (!jobs.empty() && (broken || machine.silent || one_in(8))) {
        unclaim(jobs);
        continue;
      }
      for (const ClaimedJob& job : jobs) take(machine, job);
    }
    std::erase_if(machine.polls, [](const auto& one) { return one->has_value(); });
    std::erase_if(machine.beats, [&](const auto& beat) {
      const auto& [answer, listed, answered] = beat;
      if (!*answer) return false;
      if (!(*answer)->ok()) return true;
      for (const AttemptKey& one : listed) heard_[one].push_back(*answered);
      for (const AttemptRef& stop : (**answer)->stop) drop(machine, {stop.job, stop.attempt});
      return true;
    });
    std::erase_if(machine.reports, [&](const auto& sent) {
      if (!*sent.answer) return false;
      const AttemptKey key{sent.job.attempt.job, sent.job.attempt.attempt};
      if ((*sent.answer)->ok()) {
        const auto [known, is_new] = reported_.emplace(key, sent.outcome);
        // One that was given back ended as the daemon said, which its worker may say as well.
        EXPECT_TRUE(is_new || !known->second || !sent.outcome || known->second == sent.outcome)
            << "two ends of one attempt were accepted";
        drop(machine, key);
      } else if ((*sent.answer)->error().code == Errc::stale) {
        drop(machine, key);
      }
      return true;
    });
  }

  void take(Machine& machine, const ClaimedJob& job) {
    const AttemptKey key{job.attempt.job, job.attempt.attempt};
    const auto [holder, is_new] = holders_.emplace(key, machine.instance);
    EXPECT_TRUE(is_new || holder->second == machine.instance) << "two workers were given one attempt";
    EXPECT_GE(this->job(job.attempt.job).attempts, job.attempt.attempt) << "answered before it was committed";
    drop(machine, key);
    machine.has.push_back(job);
  }
  static void drop(Machine& machine, const AttemptKey& key) {
    std::erase_if(machine.has, [&](const ClaimedJob& job) {
      return AttemptKey{job.attempt.job, job.attempt.attempt} == key;
    });
  }

  [[nodiscard]] std::vector<ports::JobRow> rows() {
    ports::JobFilter filter;
    filter.limit = 10'000;
    auto out = store.jobs(filter);
    return std::move(*out);
  }

  // What the engine remembers is what is stored.
  void compare() {
    std::map<std::string, std::int64_t> ready;
    std::map<std::string, std::int64_t> leased;
    for (const ports::JobRow& row : rows()) {
      const Lease* lease = state().lease(row.number);
      if (!row.worker.empty()) {
        ++leased[row.spec.queue];
        ASSERT_NE(lease, nullptr) << "the lease of job " << row.number.value << " is not in memory";
        ASSERT_EQ(lease->attempt.attempt, row.attempts);
        continue;
      }
      ASSERT_EQ(lease, nullptr) << "job " << row.number.value << " has no lease but in memory";
      if (row.state == JobState::queued && !row.wake_at) ++ready[row.spec.queue];
      if (row.state == JobState::queued && row.wake_at) {
        ASSERT_TRUE(state().next_wake && *state().next_wake <= *row.wake_at)
            << "nobody wakes job " << row.number.value;
      }
    }
    Accounts::Sum sum;
    for (const auto& [name, queue] : state().accounts.queues()) {
      sum.ready += queue.ready;
      sum.leased += queue.leased;
      ASSERT_TRUE(state().accounts.by_length().contains({-queue.length(), name})) << name;
    }
    ASSERT_EQ(state().accounts.by_length().size(), state().accounts.queues().size());
    ASSERT_EQ(state().accounts.sum().ready, sum.ready);
    ASSERT_EQ(state().accounts.sum().leased, sum.leased);
    for (const std::string queue : kQueues) {
      const Accounts::Queue counted = state().accounts.of(queue);
      if (state().accounts.counting()) {
        ASSERT_LE(state().waiting_in_memory(queue) + counted.claiming, ready[queue]) << queue;
        ASSERT_EQ(counted.leased, leased[queue]) << queue;
        continue;
      }
      ASSERT_EQ(counted.ready, ready[queue]) << queue;
      ASSERT_EQ(counted.leased, leased[queue]) << queue;
      if (!state().ready.is_whole(queue) || !state().suspects.is_whole(queue)) continue;
      const bool read = state().ready.is_being_read(queue) || state().suspects.is_being_read(queue);
      if (read || parts().to_rescan.contains(queue) || order) continue;  // a key that was refused may lack
      ASSERT_EQ(static_cast<std::int64_t>(state().ready.size(queue) + state().suspects.size(queue)) +
                    counted.claiming,
                ready[queue])
          << queue;
    }
  }

  // No faults any more, and every machine does what it is asked to.
  void come_to_an_end() {
    store.plan_faults({});
    pass(Seconds{3});
    taken(apply(ports::SetPaused{false, clock.wall()}));
    add_machine_of("default");
    add_machine_of("other");
    for (int second = 0; second < 400; ++second) {
      bool all = true;
      for (const ports::JobRow& row : rows()) {
        if (row.state == JobState::held) act(row.number, core::JobAction::release);
        all = all && core::is_final(row.state);
      }
      if (all && second > 20) return;
      for (Machine& machine : machines_) {
        if (machine.silent) continue;
        if (machine.polls.empty()) {
          ++machine.nonces;
          machine.polls.push_back(poll(machine.auth, machine.nonce(), 3, Seconds{1}));
        }
        beat(machine);
        for (const ClaimedJob& job : machine.has)
          machine.reports.push_back(
              {job, core::Outcome::succeeded, report(machine.auth, job, core::Outcome::succeeded)});
      }
      pass(Seconds{1});
      hear();
      if (parts().term.leading()) compare();
      if (::testing::Test::HasFatalFailure()) return;
    }
    for (const ports::JobRow& row : rows()) {
      if (!core::is_final(row.state))
        ADD_FAILURE() << "job " << row.number.value << " does not come to an end: " << to_string(row.state);
    }
  }
  void add_machine_of(const std::string& queue) {
    ASSERT_TRUE(parts().term.leading());
    Machine machine;
    machine.instance = "i-" + std::to_string(++instances_);
    machine.auth = add_worker(machine.instance, 4, queue);
    machines_.push_back(std::move(machine));
  }

  void judge() {
    std::set<JobNumber> stored;
    for (const ports::JobRow& row : rows()) stored.insert(row.number);
    for (const JobNumber number : acknowledged_)
      EXPECT_TRUE(stored.contains(number)) << "job " << number.value << " was acknowledged and is lost";
    for (const JobNumber number : stored) {
      const auto attempts = store.attempts(number);
      for (const ports::AttemptRow& row : *attempts) judge(row);
    }
  }
  void judge(const ports::AttemptRow& row) {
    const AttemptKey key{row.job, row.attempt};
    EXPECT_TRUE(row.ended);
    const auto reported = reported_.find(key);
    if (reported != reported_.end() && reported->second) {
      EXPECT_EQ(row.outcome, reported->second) << row.job.value << "/" << row.attempt;
    }
    if (!row.reason.starts_with("no heartbeat")) return;
    for (const WallTime heard : heard_[key]) {
      EXPECT_FALSE(heard < *row.ended && *row.ended - heard < Seconds{5})
          << "attempt " << row.attempt << " of job " << row.job.value
          << " was ended for the silence of a worker "
          << "that was heard " << (*row.ended - heard).count() << " us before";
    }
  }

  std::mt19937_64 random_;
  int instances_ = 0;
  std::vector<Machine> machines_;
  std::vector<Answer<std::vector<Submitted>>> submissions_;
  std::set<JobNumber> acknowledged_;
  std::map<AttemptKey, std::string> holders_;
  std::map<AttemptKey, std::optional<core::Outcome>> reported_;
  std::map<AttemptKey, std::vector<WallTime>> heard_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kSeeds = 500;
#else
constexpr std::uint64_t kSeeds = 10'000;
#endif

TEST(Seeds, WhateverTheOrderMemoryIsWhatIsStoredAndNothingIsLost) {
  set_log_level(LogLevel::error);
  const std::uint64_t only = number_from("DROVER_SEED", 0);
  const std::uint64_t first = only != 0 ? only : 1;
  const std::uint64_t last = only != 0 ? only : number_from("DROVER_SEEDS", kSeeds);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World(seed).run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace drover::engine
