#include "drover/engine/engine.hpp"

#include <algorithm>
#include <utility>

#include "drover/base/failpoint.hpp"
#include "drover/base/log.hpp"

#include "engine_impl.hpp"

namespace drover::engine {
namespace {

constexpr Millis kLeadRetry{500};
constexpr Millis kGateRetry{20};       // while before_lead says no, which costs nothing to ask
constexpr Seconds kDoubtPatience{20};  // waiters of a commit in doubt are told "unknown" after this
constexpr Seconds kFlushEvery{60};
constexpr Seconds kPartitionsEvery{3600};
constexpr Millis kSweepEvery{500};  // how late an expired lease may be noticed

// How long this thread stood waiting, whatever clock the leases run on.
class Stopwatch {
 public:
  [[nodiscard]] SteadyTime::duration elapsed() const { return std::chrono::steady_clock::now() - start_; }

 private:
  SteadyTime start_ = std::chrono::steady_clock::now();
};

Error not_leading(const std::string& why) {
  return Error{Errc::unavailable, why, {}, {}, 1};
}

}  // namespace

Engine::Impl::Impl(ports::Store& store, const Clock& clock, ports::Metrics& metrics, EngineOptions options)
    : store_(store),
      clock_(clock),
      metrics_(metrics),
      options_(std::move(options)),
      committer_(store, metrics, [this](const ports::Change& change, const ports::Settled& settled) {
        remember(change, settled);
      }) {}

Engine::Engine(ports::Store& store, const Clock& clock, ports::Metrics& metrics, EngineOptions options)
    : impl_(std::make_unique<Impl>(store, clock, metrics, std::move(options))) {}

Engine::~Engine() {
  stop();
}

void Engine::start() {
  if (!impl_->thread_.joinable()) impl_->thread_ = std::thread([this] { impl_->run(); });
}

void Engine::stop() {
  {
    const std::lock_guard lock(impl_->mutex_);
    impl_->stopping_ = true;
  }
  impl_->changed_.notify_one();
  if (impl_->thread_.joinable()) impl_->thread_.join();
}

void Engine::on_demand(std::function<void()> hook) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->hook_ = std::move(hook);
}

void Engine::Impl::post(Request request) {
  Error refusal;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      refusal = not_leading("the daemon is stopping");
    } else if (!request.always && (inbox_.size() >= options_.queue_limit ||
                                   inbox_bytes_ + request.bytes > limits::kChangeQueueBytes)) {
      refusal = Error{Errc::overloaded, "too many requests wait for the store; try again", {}, {}, 1};
    } else {
      inbox_bytes_ += request.bytes;
      inbox_.push_back(std::move(request));
      if (inbox_.size() == 1) changed_.notify_one();
      return;
    }
  }
  request.fail(refusal);
}

void Engine::Impl::run() {
  next_lead_try_ = clock_.steady();
  while (true) {
    std::deque<Request> requests;
    bool stopping = false;
    {
      std::unique_lock lock(mutex_);
      if (committer_.idle() && !again_) {
        // A wait on the steady clock; the real one, whatever clock_ is.
        const auto wait = next_deadline() - clock_.steady();
        changed_.wait_for(lock, std::max<SteadyTime::duration>(wait, SteadyTime::duration::zero()),
                          [this] { return stopping_ || !inbox_.empty(); });
      }
      // While a full batch waits already, what comes in stays in the inbox, where it is bounded.
      if (committer_.backlog() < limits::kBatchChanges) {
        requests.swap(inbox_);
        inbox_bytes_ = 0;
      }
      stopping = stopping_;
    }
    if (session_ && !requests.empty() && !confirm_lead()) {
      lose_lead(not_leading("the connection to the store was lost"));
    }
    for (Request& request : requests) {
      if (session_ || request.always) {
        request.run();
      } else {
        request.fail(not_leading(standby_reason_));
      }
    }
    if (!session_) {
      if (stopping) break;
      take_lead();
      continue;
    }
    const Stopwatch waiting;
    const bool served = serve_once();
    forgive(waiting.elapsed());
    if (!served) {
      lose_lead(not_leading("the connection to the store was lost"));
    } else if (stopping && committer_.idle() && requests.empty()) {
      break;
    }
  }
  const Error stopped = not_leading("the daemon is stopping");
  tokens_.close(stopped);
  for (auto& [worker, waiter] : waiters_) waiter.done(ClaimAnswer{});
  waiters_.clear();
  committer_.abandon_doubt(stopped);
  committer_.end_term(stopped);
  session_.reset();
}

void Engine::Impl::remember(const ports::Change& change, const ports::Settled& settled) {
  std::visit(
      [&]<class C>(const C& specific) {
        const ports::AnswerOf<C>& answer = *ports::result_of<C>(settled);
        engine::remember(memory_, specific, answer, clock_.steady());
        if constexpr (requires { answer.worker.token_hash; }) tokens_.put(answer.worker);
        hook_due_ = hook_due_ || C::kWakesFleet;
      },
      change);
}

bool Engine::Impl::serve_once() {
  if (!timers() || !match()) return false;
  expire_waiters();
  announce_demand();
  // What was committed may have made jobs ready: match again before sleeping.
  again_ = !committer_.idle();
  if (!again_) return true;
  const SteadyTime asked = clock_.steady();
  const Committer::Batch batch = committer_.commit_batch();
  if (batch == Committer::Batch::answered) last_contact_ = asked;
  return batch != Committer::Batch::lost;
}

// After a silence in which the store may have ended our session (we were stopped, or a commit took long),
// another may lead: nothing is answered from memory before the store has said that we still do.
bool Engine::Impl::confirm_lead() {
  const SteadyTime now = clock_.steady();
  if (now < trusted_until()) return true;
  const Stopwatch waiting;
  if (!session_->ping()) return false;
  last_contact_ = now;
  forgive(waiting.elapsed());
  return true;
}

// While the store kept this thread waiting no worker could be heard: that time is not silence of theirs.
void Engine::Impl::forgive(SteadyTime::duration waited) {
  if (waited < kSweepEvery) return;
  for (auto& [job, lease] : memory_.leases) lease.term.deadline += waited;
  for (auto& [id, worker] : memory_.workers) {
    if (worker.heard) *worker.heard += waited;
  }
}

void Engine::Impl::take_lead() {
  const SteadyTime now = clock_.steady();
  if (committer_.in_doubt() && now > doubt_until_) {
    committer_.abandon_doubt(
        Error{Errc::commit_unknown,
              "the store went away while it was committing; whether it did is not known yet. "
              "Look before trying again.",
              {},
              {},
              2});
  }
  if (now < next_lead_try_) return;
  next_lead_try_ = now + kLeadRetry;
  if (!committer_.resolve()) {
    standby_reason_ = "the store is out of reach";
    store_reachable_ = false;
    return;
  }
  if (!lead_once()) committer_.end_term(not_leading(standby_reason_));
}

bool Engine::Impl::lead_once() {
  if (options_.before_lead) {
    if (const Status may = options_.before_lead(); !may) {
      standby_reason_ = may.error().message;
      store_reachable_ = false;
      next_lead_try_ = clock_.steady() + kGateRetry;
      return false;
    }
  }
  const SteadyTime asked = clock_.steady();
  auto session = store_.lead();
  if (!session) {
    store_reachable_ = session.error().code == Errc::conflict;
    const std::string why = store_reachable_ ? session.error().message : "the store is out of reach";
    if (why != standby_reason_) log_info("not leading: {}", describe(session.error()));
    standby_reason_ = why;
    return false;
  }
  auto state = (*session)->boot();
  DROVER_FAILPOINT("lead.read");
  if (state) {
    const Status partitions = (*session)->make_partitions(clock_.wall());
    if (!partitions) log_warn("partitions were not made: {}", partitions.error().message);
  }
  if (!state) {
    standby_reason_ = "reading the store failed: " + state.error().message;
    log_warn("not leading: {}", standby_reason_);
    return false;
  }
  if (options_.may_lead) {
    if (const Status may = options_.may_lead(state->deployment); !may) {
      if (may.error().message != standby_reason_) log_error("not leading: {}", may.error().message);
      standby_reason_ = may.error().message;
      store_reachable_ = true;
      return false;
    }
  }
  const SteadyTime now = clock_.steady();
  memory_.boot(std::move(*state), now, clock_.wall());
  tokens_.open();
  for (const auto& [id, worker] : memory_.workers) tokens_.put(worker.row);
  session_ = std::move(*session);
  committer_.begin_term(session_.get());
  store_reachable_ = true;
  standby_reason_.clear();
  numbers_left_ = 0;
  last_contact_ = asked;
  led_since_ = now;
  next_flush_ = now + kFlushEvery;
  next_partitions_ = now + kPartitionsEvery;
  next_rescan_ = now + options_.rescan;
  next_sweep_ = now + kSweepEvery;
  hook_due_ = true;
  DROVER_FAILPOINT("lead.leading");
  log_info("leading, epoch {}: {} open attempts, {} workers", memory_.epoch, memory_.leases.size(),
           memory_.workers.size());
  return true;
}

void Engine::Impl::lose_lead(const Error& why) {
  log_warn("leadership lost: {}", why.message);
  tokens_.close(why);
  standby_reason_ = why.message;
  store_reachable_ = false;
  session_.reset();
  again_ = false;
  committer_.end_term(why);
  std::map<WorkerId, Waiter> waiters;
  waiters.swap(waiters_);
  for (auto& [worker, waiter] : waiters) waiter.done(why);
  // A store that gives way again and again is not asked without a pause: each term reads it anew.
  next_lead_try_ = std::max(clock_.steady(), led_since_ + kLeadRetry);
  doubt_until_ = clock_.steady() + kDoubtPatience;
}

SteadyTime Engine::Impl::next_deadline() const {
  if (!session_) return next_lead_try_;
  SteadyTime next =
      std::min({last_contact_ + options_.takeover / 3, next_flush_, next_partitions_, next_rescan_});
  if (!memory_.leases.empty()) next = std::min(next, next_sweep_);
  for (const auto& [worker, waiter] : waiters_) next = std::min(next, waiter.deadline);
  if (memory_.next_wake) {
    next = std::min(next, clock_.steady() + std::max<SteadyTime::duration>(
                                                Millis{1}, time_until(*memory_.next_wake, clock_.wall())));
  }
  return next;
}

bool Engine::Impl::timers() {
  const SteadyTime now = clock_.steady();
  if (now >= next_sweep_) {
    next_sweep_ = now + kSweepEvery;
    expire_leases();
  }
  if (memory_.next_wake && *memory_.next_wake <= clock_.wall()) {
    memory_.next_wake.reset();  // until the answer says what remains
    do_apply(ports::WakeJobs{clock_.wall(), 1000}, Told<ports::WakeJobs>([](const auto&) {}));
  }
  if (now >= next_flush_) {
    next_flush_ = now + kFlushEvery;
    ports::TouchWorkers touch;
    for (const auto& [id, worker] : memory_.workers) {
      if (worker.unflushed_seen) touch.last_seen.emplace_back(id, *worker.unflushed_seen);
    }
    if (!touch.last_seen.empty()) do_apply(std::move(touch), Told<ports::TouchWorkers>([](const auto&) {}));
  }
  if (now >= next_partitions_) {
    next_partitions_ = now + kPartitionsEvery;
    const Status made = session_->make_partitions(clock_.wall());
    if (!made) log_warn("partitions were not made: {}", made.error().message);
  }
  if (now >= next_rescan_) {
    // One queue at a time, so that rows changed by hand are noticed without a burst of reading.
    next_rescan_ = now + options_.rescan;
    auto next = memory_.queues.upper_bound(rescanned_);
    if (next == memory_.queues.end()) next = memory_.queues.begin();
    if (next != memory_.queues.end()) {
      rescanned_ = next->first;
      memory_.ready.restart(rescanned_);
      memory_.suspects.restart(rescanned_);
      if (!refill({rescanned_})) return false;
    }
  }
  if (now - last_contact_ >= options_.takeover / 3 && committer_.idle()) {
    if (!session_->ping()) return false;
    last_contact_ = now;
  }
  return true;
}

}  // namespace drover::engine
