#include "writer.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "drover/base/failpoint.hpp"
#include "drover/base/log.hpp"

namespace drover::engine {
namespace {

constexpr Millis kLeadRetry{500};
constexpr Millis kGateRetry{20};  // while before_lead says no, which costs nothing to ask
constexpr const char* kLost = "the connection to the store was lost";

Error nothing_changed() {
  return unavailable("the store is out of reach; nothing was changed", 1);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Writer::Writer(ports::Leadership& leadership, const Clock& clock, ports::Metrics& metrics,
               const EngineOptions& options, std::function<void(News)> tell,
               std::function<Status()> begin_count)
    : leadership_(leadership),
      clock_(clock),
      metrics_(metrics),
      options_(options),
      tell_(std::move(tell)),
      begin_count_(std::move(begin_count)) {
  metrics_.describe("drover_commit_seconds", "Time of one transaction of the writer.");
  metrics_.describe("drover_commits_total", "Transactions of the writer.");
  metrics_.describe("drover_commands_total", "Changes committed.");
  metrics_.describe("drover_commands_isolated_total",
                    "Batches split because the store refused a value in them.");
}

void Writer::carry_out(Order order) {
  OrderDone done;
  done.changes = std::move(order.changes);
  done.fates.assign(done.changes.size(), nothing_changed());
  bool alive = session_ != nullptr;
  if (alive && !done.changes.empty()) alive = commit(done.changes, done.fates);
  if (order.numbers > 0) alive = alive && reserve(order.numbers, done);
  if (order.unused)
    alive = alive && session_->give_back_numbers(order.unused->first, order.unused->second).ok();
  if (order.ping) alive = alive && ping();
  if (order.count && alive) {
    const Status begun = begin_count_();
    done.count_begun = begun.ok();
    if (!begun.ok()) log_warn("counting the ready jobs did not begin: {}", begun.error().message);
  }
  tell_(std::move(done));
  if (!alive && session_) lose(kLost);
}

// In one transaction, or in halves when the store refuses a value in it. False: the session is lost.
bool Writer::commit(std::span<const ports::Change> changes, std::span<Fate> fates) {
  DROVER_FAILPOINT_EACH("commit", changes, "formed");
  const SteadyTime asked = clock_.steady();
  const auto start = std::chrono::steady_clock::now();
  auto committed = session_->commit(changes);
  metrics_.observe("drover_commit_seconds", seconds_since(start));
  if (committed.ok()) {
    contact_.at(asked);
    metrics_.add("drover_commits_total", 1);
    metrics_.add("drover_commands_total", static_cast<double>(changes.size()));
    for (std::size_t i = 0; i < changes.size(); ++i) fates[i] = std::move((*committed)[i]);
    return true;
  }
  const Error& error = committed.error();
  switch (error.code) {
    case Errc::data: {
      contact_.at(asked);
      if (changes.size() == 1) {
        fates[0] =
            Error{Errc::data, "the store refused a value: " + error.message, error.field, error.detail};
        return true;
      }
      metrics_.add("drover_commands_isolated_total", 1);
      const std::size_t half = changes.size() / 2;
      return commit(changes.first(half), fates.first(half)) &&
             commit(changes.subspan(half), fates.subspan(half));
    }
    case Errc::storage_full:
      contact_.at(asked);
      log_error("the store is full: {}", error.message);
      std::ranges::fill(fates, Fate(error));
      return true;
    case Errc::commit_unknown:
      log_warn("the reply to a commit of {} changes was lost (transaction {})", changes.size(), error.detail);
      doubt_ = Doubt{error.detail, session_->take_partial()};
      std::ranges::fill(fates, Fate(InDoubt{}));
      return false;
    default:
      log_warn("a batch of {} changes was not committed: {}", changes.size(), describe(error));
      return false;
  }
}

bool Writer::reserve(int count, OrderDone& done) {
  const auto first = session_->reserve_numbers(count);
  if (!first.ok()) {
    log_warn("no job numbers: {}", first.error().message);
    return false;
  }
  done.first_number = *first;
  done.numbers = count;
  return true;
}

bool Writer::ping() {
  const SteadyTime asked = clock_.steady();
  if (!session_->ping().ok()) return false;
  contact_.at(asked);
  return true;
}

SteadyTime Writer::due() const {
  return session_ ? contact_.last() + options_.takeover / 3 : next_try_;
}

void Writer::turn() {
  const SteadyTime now = clock_.steady();
  if (now < due()) return;
  if (session_) {
    if (!ping()) lose(kLost);
    return;
  }
  next_try_ = now + kLeadRetry;
  if (!resolve_doubt()) {
    tell_(NotLed{"the store is out of reach", false});
  } else {
    try_to_lead();
  }
}

// False: it cannot be known yet.
bool Writer::resolve_doubt() {
  if (!doubt_) return true;
  const auto fate = leadership_.resolve(doubt_->transaction);
  if (!fate.ok() || *fate == ports::TransactionFate::in_progress) return false;
  const Doubt doubt = std::move(*std::exchange(doubt_, std::nullopt));
  const bool committed = *fate == ports::TransactionFate::committed;
  log_info("transaction {} was {}committed", doubt.transaction, committed ? "" : "not ");
  tell_(Resolved{committed, committed ? doubt.settled : std::vector<ports::Settled>()});
  return true;
}

void Writer::try_to_lead() {
  if (options_.before_lead) {
    if (const Status may = options_.before_lead(); !may.ok()) {
      next_try_ = clock_.steady() + kGateRetry;
      tell_(NotLed{may.error().message, false});
      return;
    }
  }
  const SteadyTime asked = clock_.steady();
  auto state = begin_term();
  if (!state) {
    session_.reset();
    return;
  }
  said_.clear();
  contact_.at(asked);
  led_since_ = clock_.steady();
  DROVER_FAILPOINT("lead.leading");
  log_info("leading, epoch {}: {} open attempts, {} workers", state->epoch, state->open.size(),
           state->workers.size());
  tell_(Led{std::move(*state)});
}

std::optional<ports::BootState> Writer::begin_term() {
  const auto give_up = [this](const std::string& why, bool reachable) {
    if (why != std::exchange(said_, why)) log_info("not leading: {}", why);
    tell_(NotLed{why, reachable});
    return std::nullopt;
  };
  auto session = leadership_.lead();
  if (!session.ok()) {
    const bool reachable = session.error().code == Errc::conflict;
    if (!reachable && said_ != "the store is out of reach")
      log_info("the store: {}", describe(session.error()));
    return give_up(reachable ? session.error().message : "the store is out of reach", reachable);
  }
  session_ = std::move(*session);
  auto state = session_->boot();
  DROVER_FAILPOINT("lead.read");
  if (!state.ok()) return give_up("reading the store failed: " + state.error().message, false);
  if (options_.may_lead) {
    if (const Status may = options_.may_lead(state->deployment); !may.ok())
      return give_up(may.error().message, true);
  }
  return std::move(*state);
}

void Writer::lose(const std::string& why) {
  log_warn("leadership lost: {}", why);
  session_.reset();
  // A store that ends the session again and again is not asked without a pause, since each term reads all of
  // memory from it.
  next_try_ = std::max(clock_.steady(), led_since_ + kLeadRetry);
  tell_(Lost{why});
}

void Writer::resign(const std::string& why) {
  if (session_) lose(why);
}

}  // namespace drover::engine
