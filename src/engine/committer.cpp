#include "committer.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <unordered_set>

#include "drover/base/failpoint.hpp"
#include "drover/base/limits.hpp"
#include "drover/base/log.hpp"

namespace drover::engine {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Committer::Committer(ports::Store& store, ports::Metrics& metrics, Remember remember)
    : store_(store), metrics_(metrics), remember_(std::move(remember)) {
  metrics_.describe("drover_commit_seconds", "Time of one transaction of the committer");
  metrics_.describe("drover_commits_total", "Transactions of the committer");
  metrics_.describe("drover_commands_total", "Changes committed");
  metrics_.describe("drover_commands_isolated_total",
                    "Batches split because the store refused a value in them");
}

void Committer::begin_term(ports::WriteSession* session) {
  session_ = session;
}

void Committer::end_term(const Error& error) {
  session_ = nullptr;
  std::deque<Work> dropped;
  dropped.swap(waiting_);
  for (Work& work : dropped) work.fail(error);
}

void Committer::add(Work work) {
  waiting_.push_back(std::move(work));
}

std::vector<Committer::Item> Committer::form_batch() {
  std::vector<Item> batch;
  std::deque<Work> later;
  std::unordered_set<ports::Key, ports::KeyHash> taken;
  std::size_t rows = 0;
  std::size_t bytes = 0;
  while (!waiting_.empty() && batch.size() < limits::kBatchChanges && rows < limits::kBatchRows &&
         bytes < limits::kBatchBytes) {
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    const bool waits = std::ranges::any_of(work.keys, [&](const auto& key) { return taken.contains(key); });
    taken.insert(work.keys.begin(), work.keys.end());  // also of one that waits: it is not overtaken
    if (waits) {
      later.push_back(std::move(work));
      continue;
    }
    auto made = work.make();
    if (!made) {
      work.fail(made.error());
    } else if (*made) {
      rows += work.rows;
      bytes += work.bytes;
      batch.push_back(Item{std::move(work), std::move(**made)});
    }
  }
  // What had to wait goes first next time, in its order.
  waiting_.insert(waiting_.begin(), std::make_move_iterator(later.begin()),
                  std::make_move_iterator(later.end()));
  return batch;
}

Committer::Batch Committer::commit_batch() {
  std::vector<Item> batch = form_batch();
  if (batch.empty()) return Batch::empty;
  return commit_items(std::move(batch)) ? Batch::answered : Batch::lost;
}

bool Committer::commit_items(std::vector<Item> items) {
  std::vector<ports::Change> changes;
  changes.reserve(items.size());
  for (const Item& item : items) changes.push_back(item.change);
  DROVER_FAILPOINT_EACH("commit", changes, "formed");
  const auto start = std::chrono::steady_clock::now();
  auto committed = session_->commit(changes);
  metrics_.observe("drover_commit_seconds", seconds_since(start));
  if (committed) {
    metrics_.add("drover_commits_total", 1);
    metrics_.add("drover_commands_total", static_cast<double>(items.size()));
    // All of memory first: an answer may lead to a question about any of it.
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (ports::refusal((*committed)[i]) == nullptr) remember_(items[i].change, (*committed)[i]);
    }
    DROVER_FAILPOINT_EACH("commit", changes, "applied");
    for (std::size_t i = 0; i < items.size(); ++i) items[i].work.done(std::move((*committed)[i]));
    DROVER_FAILPOINT_EACH("commit", changes, "answered");
    return true;
  }
  const Error error = committed.error();
  if (error.code == Errc::data) {
    if (items.size() == 1) {
      items[0].work.fail(
          Error{Errc::data, "the store refused a value: " + error.message, error.field, error.detail});
      return true;
    }
    metrics_.add("drover_commands_isolated_total", 1);
    const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
    std::vector<Item> upper(std::make_move_iterator(middle), std::make_move_iterator(items.end()));
    items.erase(middle, items.end());
    if (commit_items(std::move(items))) return commit_items(std::move(upper));
    for (Item& item : upper) item.work.fail(Error{Errc::unavailable, "the store went away", {}, {}, 1});
    return false;
  }
  if (error.code == Errc::commit_unknown) {
    log_warn("the reply to a commit of {} changes was lost (transaction {})", items.size(), error.detail);
    doubt_ = Doubt{error.detail, std::move(items), session_->take_partial()};
    return false;
  }
  if (error.code == Errc::storage_full) {
    log_error("the store is full: {}", error.message);
    for (Item& item : items) item.work.fail(error);
    return true;
  }
  log_warn("a batch of {} changes was not committed: {}", items.size(), describe(error));
  for (Item& item : items) {
    item.work.fail(Error{Errc::unavailable, "the store is out of reach; nothing was changed", {}, {}, 1});
  }
  return false;
}

bool Committer::resolve() {
  if (!doubt_) return true;
  const auto fate = store_.resolve(doubt_->transaction);
  if (!fate || *fate == ports::TransactionFate::in_progress) return false;
  Doubt doubt = std::move(*doubt_);
  doubt_.reset();
  if (*fate == ports::TransactionFate::committed) {
    log_info("transaction {} was committed: answering its {} changes", doubt.transaction, doubt.items.size());
    // Memory is read anew from the store for the next term, so there is nothing to apply.
    for (std::size_t i = 0; i < doubt.items.size(); ++i)
      doubt.items[i].work.done(std::move(doubt.settled[i]));
    return true;
  }
  log_info("transaction {} was not committed: running its {} changes again", doubt.transaction,
           doubt.items.size());
  std::deque<Work> again;
  for (Item& item : doubt.items) again.push_back(std::move(item.work));
  waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
  return true;
}

void Committer::abandon_doubt(const Error& error) {
  if (!doubt_) return;
  Doubt doubt = std::move(*doubt_);
  doubt_.reset();
  for (Item& item : doubt.items) item.work.fail(error);
}

}  // namespace drover::engine
