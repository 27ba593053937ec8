#include "claims.hpp"

#include <algorithm>
#include <utility>

#include "drover/base/limits.hpp"
#include "drover/base/log.hpp"
#include "drover/ports/tokens.hpp"

#include "leases.hpp"
#include "suspects.hpp"

namespace drover::engine {
namespace {

constexpr Seconds kNoRoomPause{1};
constexpr Seconds kReadingPause{1};
constexpr std::size_t kFewKeys = limits::kRefillKeys / 4;  // with fewer in memory the next ones are read
// A poll that asks for an answer at once waits up to this long to be matched.
constexpr Seconds kMatchPatience{2};

ClaimedJob claimed_job(const Parts& parts, const ports::OpenAttempt& attempt, std::int64_t delivery) {
  return {attempt, {}, parts.state.tunables.max_log_bytes, delivery};
}

bool may_claim(const Worker* worker) {
  return worker != nullptr && worker->row.state == core::WorkerState::active;
}

// The attempts that are open under the poll's nonce: the answer to an earlier try was lost.
void hand_out_again(Parts& parts, const Worker& worker, const ClaimRequest& request, ClaimAnswer& answer) {
  for (const JobNumber job : worker.jobs) {
    Lease& lease = *parts.state.lease(job);
    if (lease.attempt.nonce != request.nonce || lease.end_sent) continue;
    lease.term = core::handed_out(lease.term, parts.clock.steady(), parts.state.tunables);
    answer.jobs.push_back(claimed_job(parts, lease.attempt, lease.term.delivery));
  }
}

bool is_being_given_back(Parts& parts, const Worker& worker, const std::string& nonce) {
  return std::ranges::any_of(worker.jobs, [&](JobNumber job) {
    const Lease& lease = *parts.state.lease(job);
    return lease.attempt.nonce == nonce && lease.end_sent;
  });
}

}  // namespace

Done<ClaimAnswer> with_tokens(const ClaimRequest& request, Done<ClaimAnswer> done) {
  return [token = request.auth.token.secret(), nonce = request.nonce,
          done = std::move(done)](Result<ClaimAnswer> answer) {
    if (answer.ok()) {
      for (ClaimedJob& job : answer->jobs)
        job.token = ports::attempt_token(token, nonce, job.attempt.job, job.attempt.attempt);
    }
    done(std::move(answer));
  };
}

void take_poll(Parts& parts, ClaimRequest request, Done<ClaimAnswer> done) {
  const SteadyTime now = parts.clock.steady();
  if (const Status known = check_auth(parts, request.auth); !known.ok()) {
    done(known.error());
    return;
  }
  if (const Status trusted = parts.term.trusted(now); !trusted.ok()) {
    done(trusted.error());
    return;
  }
  const WorkerId id = request.auth.worker;
  Worker& worker = *parts.state.worker(id);
  worker.asked = now;
  // A poll that does not wait has its deadline at once: it is matched once, then answered.
  const SteadyTime deadline = now + std::clamp(request.wait, Seconds{0}, limits::kLongPoll);
  Waiter waiter{std::move(request), deadline, now + kMatchPatience, std::move(done)};
  const auto under_way = parts.claiming.find(id);
  if (under_way != parts.claiming.end() && under_way->second->waiter.request.nonce == waiter.request.nonce) {
    // The worker repeats a poll whose claims are being committed: they will answer this one.
    std::swap(under_way->second->waiter, waiter);
    waiter.done(ClaimAnswer{});
    return;
  }
  end_poll(parts, id, ClaimAnswer{});  // an earlier poll of this worker is over
  ClaimAnswer answer;
  answer.drain = !may_claim(&worker);
  hand_out_again(parts, worker, waiter.request, answer);
  if (!answer.jobs.empty() || answer.drain) {
    waiter.done(std::move(answer));
    return;
  }
  waiter.held = is_being_given_back(parts, worker, waiter.request.nonce);
  parts.waiters.add(id, std::move(waiter), worker.row.queues);
}

void end_poll(Parts& parts, WorkerId worker, ClaimAnswer answer) {
  if (const auto waiter = parts.waiters.take(worker)) waiter->done(std::move(answer));
}

void end_overdue_polls(Parts& parts) {
  const SteadyTime now = parts.clock.steady();
  // The answer says, from memory, whether the worker is to drain. If another daemon may lead, memory may be
  // out of date.
  const Status trusted = parts.term.trusted(now);
  while (const auto worker = parts.waiters.overdue(now)) {
    const auto waiter = parts.waiters.take(*worker);
    if (!waiter) continue;
    trusted.ok() ? waiter->done(ClaimAnswer{}) : waiter->done(trusted.error());
  }
}

void end_polls_of_ineligible(Parts& parts, WorkerId worker) {
  if (!may_claim(parts.state.worker(worker))) end_poll(parts, worker, ClaimAnswer{{}, true});
}

void serve_held_polls(Parts& parts) {
  for (const WorkerId id : parts.waiters.held()) {
    auto waiter = parts.waiters.take(id);
    const Worker* worker = parts.state.worker(id);
    ClaimAnswer answer;
    answer.drain = !may_claim(worker);
    if (worker != nullptr) hand_out_again(parts, *worker, waiter->request, answer);
    if (!answer.jobs.empty() || answer.drain) {
      waiter->done(std::move(answer));
      continue;
    }
    waiter->held = is_being_given_back(parts, *worker, waiter->request.nonce);
    parts.waiters.add(id, std::move(*waiter), worker->row.queues);
  }
}

namespace {

// One claim of the group was committed or refused.
void take_claim(Parts& parts, ClaimGroup& group, const ports::ReadyJob& of,
                const Result<ports::ClaimJob::Answer>& claimed) {
  --group.outstanding;
  if (Worker* by = parts.state.worker(group.waiter.request.auth.worker)) {
    --by->claiming;
    by->claiming_alone = false;
  }
  if (claimed.ok()) {
    const ports::OpenAttempt& attempt = claimed->attempt;
    // A batch whose fate was in doubt did not enter memory. Delivery 0 is no lease's, so that nothing is
    // given back if this answer cannot be written.
    const Lease* lease = parts.state.lease(attempt.job, attempt.attempt);
    const std::int64_t delivery = lease == nullptr ? 0 : lease->term.delivery;
    group.answer.jobs.push_back(claimed_job(parts, attempt, delivery));
    return;
  }
  if (!parts.term.leading()) return;
  parts.state.accounts.claim_refused(of.queue);
  if (claimed.error().code == Errc::storage_full) {
    parts.state.index(of.suspect).add(of.queue, of.key);
    parts.claims_from = parts.clock.steady() + kNoRoomPause;
  } else {
    parts.to_rescan.insert(of.queue);  // memory was wrong about what is ready
  }
}

void answer_group(Parts& parts, ClaimGroup& group) {
  Waiter& waiter = group.waiter;
  const WorkerId id = waiter.request.auth.worker;
  parts.claiming.erase(id);
  const Worker* worker = parts.state.worker(id);
  const bool waits = parts.term.leading() && worker != nullptr && waiter.deadline > parts.clock.steady();
  if (group.answer.jobs.empty() && !parts.term.leading()) {
    waiter.done(not_leading(parts.term.standby_reason()));
  } else if (group.answer.jobs.empty() && waits && parts.waiters.of(id) == nullptr) {
    parts.waiters.add(id, std::move(waiter), worker->row.queues);  // all its claims were refused: it waits on
  } else {
    group.answer.drain = !may_claim(worker);
    waiter.done(std::move(group.answer));
  }
}

// False: the claim cannot be in this batch, and the job stays ready.
bool offer_claim(Parts& parts, const std::shared_ptr<ClaimGroup>& group, const ports::ReadyJob& of) {
  const ClaimRequest& request = group->waiter.request;
  ports::ClaimJob claim{JobNumber{of.key.number}, request.auth.worker, request.nonce,
                        request.auth.token.secret(), parts.clock.wall()};
  const bool offered = parts.pipeline.offer(work_of<ports::ClaimJob>(
      std::move(claim), [&parts, group, of](const Result<ports::ClaimJob::Answer>& claimed) {
        take_claim(parts, *group, of, claimed);
        if (group->outstanding == 0) answer_group(parts, *group);
      }));
  if (offered) ++group->outstanding;
  return offered;
}

// Claims as many jobs for one poll as `room` says. Jobs that cannot be in this batch are put into `skipped`,
// and back into the index when all are matched.
void claim_for(Parts& parts, WorkerId id, int room, bool suspect, std::vector<ports::ReadyJob>& skipped) {
  State& state = parts.state;
  core::ReadyIndex& index = state.index(suspect);
  Worker& worker = *state.worker(id);
  auto group = std::make_shared<ClaimGroup>();
  group->waiter = std::move(*parts.waiters.take(id));
  parts.claiming[id] = group;
  if (suspect) parts.waiting_suspects.erase(index.best(worker.row.queues)->first);
  while (room > 0 && !parts.pipeline.is_full()) {
    const auto best = index.best(worker.row.queues);
    if (!best) break;
    const ports::ReadyJob job{best->first, best->second, suspect};
    index.remove(job.queue, job.key);
    if (!offer_claim(parts, group, job)) {
      skipped.push_back(job);
      continue;
    }
    state.accounts.claim_begins(job.queue);
    ++worker.claiming;
    worker.claiming_alone = suspect;
    --room;
  }
  if (group->outstanding > 0) return;
  parts.claiming.erase(id);
  parts.waiters.add(id, std::move(group->waiter), worker.row.queues);
}

// The workers that wait for a queue with ready jobs, the busiest first, so that idle workers stay idle and
// can be scaled in.
std::vector<WorkerId> candidates(const Parts& parts) {
  std::set<std::pair<int, WorkerId>> by_leases;  // negative: the busiest first
  for (const auto& [queue, waiting] : parts.waiters.by_queue()) {
    if (!parts.state.may_have_work(queue)) continue;
    for (const WorkerId id : waiting) {
      const auto worker = parts.state.workers.find(id);
      if (worker == parts.state.workers.end()) continue;
      by_leases.emplace(-worker->second.busy(), id);
    }
  }
  std::vector<WorkerId> out;
  out.reserve(by_leases.size());
  for (const auto& [leases, id] : by_leases) out.push_back(id);
  return out;
}

void want_keys(Parts& parts, const std::string& queue, bool suspects, bool anew) {
  KeysWanted wanted;
  wanted.anew = anew;
  wanted.reading = ++parts.readings;
  wanted.epoch = parts.state.epoch;
  wanted.question.queue = queue;
  wanted.question.suspects = suspects;
  wanted.question.after = parts.state.index(suspects).begin_reading(queue, wanted.reading, anew);
  wanted.question.limit = static_cast<int>(limits::kRefillKeys);
  parts.keys_wanted.push_back(std::move(wanted));
}

bool is_being_read(const Parts& parts, const std::string& queue) {
  return parts.state.ready.is_being_read(queue) || parts.state.suspects.is_being_read(queue);
}

// True: keys of one of the queues are not in memory, so that it cannot be said which job is next. Of a queue
// that is about to run out the next keys are asked for beforehand.
bool lacks_keys(Parts& parts, const std::vector<std::string>& queues) {
  const bool may_ask = parts.clock.steady() >= parts.keys_from;
  bool lacking = false;
  for (const std::string& queue : queues) {
    for (const bool suspects : {false, true}) {
      const core::ReadyIndex& index = parts.state.index(suspects);
      if (!index.runs_low(queue, kFewKeys)) continue;
      lacking = lacking || index.size(queue) == 0;
      if (may_ask && !index.is_being_read(queue)) want_keys(parts, queue, suspects, false);
    }
  }
  return lacking;
}

}  // namespace

void match(Parts& parts) {
  State& state = parts.state;
  const bool open = !state.paused && parts.clock.steady() >= parts.claims_from;
  std::vector<ports::ReadyJob> skipped;
  std::set<WorkerId> later;  // not matched yet
  for (const WorkerId id : open ? candidates(parts) : std::vector<WorkerId>()) {
    const Waiter* waiter = parts.waiters.of(id);
    const Worker& worker = *state.worker(id);
    if (waiter->held) {
      later.insert(id);
      continue;
    }
    if (!waiter->request.open()) {
      end_poll(parts, id, ClaimAnswer{});  // its worker closed the connection
      continue;
    }
    // Once the batch is full no job is looked at: each would be taken from the index and put back.
    if (parts.pipeline.is_full() || lacks_keys(parts, worker.row.queues)) {
      later.insert(id);
      continue;
    }
    const int room = std::min(waiter->request.slots, worker.row.slots - worker.busy());
    const core::Offer offer = offer_to(parts, worker);
    if (room <= 0 || offer == core::Offer::nothing) continue;
    const bool suspect = offer == core::Offer::suspect;
    claim_for(parts, id, suspect ? 1 : room, suspect, skipped);
  }
  for (const ports::ReadyJob& job : skipped) state.index(job.suspect).add(job.queue, job.key);
  for (const WorkerId id : parts.waiters.unmatched()) {
    if (!later.contains(id)) parts.waiters.matched(id);
  }
}

namespace {

// Not while the queue is being read: that reading may have begun before what makes another one necessary (a
// claim that the store refused), so the next one is asked for when it is over.
bool may_be_read(const Parts& parts, const std::string& queue) {
  return parts.clock.steady() >= parts.keys_from && !is_being_read(parts, queue);
}

// Corrects the count of a queue whose rows somebody may have changed by hand. Every key in memory is ready;
// when memory is whole, no other job of the queue is.
void correct_account(State& state, const std::string& queue) {
  const Accounts::Queue counted = state.accounts.of(queue);
  const std::int64_t known = state.waiting_in_memory(queue) + counted.claiming;
  const bool whole = state.ready.is_whole(queue) && state.suspects.is_whole(queue);
  if (whole || known > counted.ready) state.accounts.found_ready(queue, known);
}

void take_keys(Parts& parts, const KeysRead& read) {
  State& state = parts.state;
  const ports::ReadyQuestion& question = read.wanted.question;
  const std::string& queue = question.queue;
  core::ReadyIndex& index = state.index(question.suspects);
  // The answer of a server that has another leader is not used: it may lack what this one has committed.
  if (!read.answer.ok() || read.answer->epoch != state.epoch) {
    const std::string why = read.answer.ok() ? "the server has another leader" : read.answer.error().message;
    if (std::exchange(parts.keys_trouble, why) != why) log_warn("ready jobs cannot be read: {}", why);
    index.give_up_reading(queue, read.wanted.reading);
    if (read.wanted.anew) parts.to_rescan.insert(queue);
    parts.keys_from = parts.clock.steady() + kReadingPause;
    return;
  }
  if (!std::exchange(parts.keys_trouble, {}).empty()) log_info("ready jobs are read again");
  const std::vector<core::ReadyKey>& keys = read.answer->keys;
  const bool exhausted = std::cmp_less(keys.size(), question.limit);
  if (!index.finish_reading(queue, read.wanted.reading, keys, exhausted)) return;
  if (state.accounts.counting()) {
    if (!keys.empty()) parts.feed.wake_fleet();
  } else if (!is_being_read(parts, queue)) {
    correct_account(state, queue);
  }
}

}  // namespace

void take_keys(Parts& parts) {
  for (const KeysRead& read : std::exchange(parts.keys_read, {})) take_keys(parts, read);
}

void ask_for_keys(Parts& parts) {
  for (auto queue = parts.to_rescan.begin(); queue != parts.to_rescan.end();) {
    if (!may_be_read(parts, *queue)) {
      ++queue;
      continue;
    }
    for (const bool suspects : {true, false}) want_keys(parts, *queue, suspects, true);
    queue = parts.to_rescan.erase(queue);
  }
}

bool may_ask_for_keys(const Parts& parts) {
  return std::ranges::any_of(parts.to_rescan,
                             [&](const std::string& queue) { return may_be_read(parts, queue); });
}

}  // namespace drover::engine
