#include "read_pool.hpp"

namespace drover::postgres {
namespace {

constexpr std::chrono::milliseconds kPatience{500};

}  // namespace

Result<Rows> ReadPool::run(std::string_view query, const Params& params) {
  const Statement one{query, params};
  auto rows = run_all({&one, 1});
  if (!rows.ok()) return rows.error();
  return std::move(rows->front());
}

Result<std::vector<Rows>> ReadPool::snapshot(std::span<const Statement> statements) {
  std::vector<Statement> all;
  all.push_back({"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", {}, true});
  all.insert(all.end(), statements.begin(), statements.end());
  all.push_back({"COMMIT", {}, true});
  auto rows = run_all(all);
  if (!rows.ok()) return rows.error();
  rows->pop_back();
  rows->erase(rows->begin());
  return rows;
}

// A pooled connection may have died since its last use; reads change nothing, so they are tried again, until
// a connection made for the purpose fails too.
Result<std::vector<Rows>> ReadPool::run_all(std::span<const Statement> statements) {
  for (;;) {
    bool fresh = false;
    const auto start = std::chrono::steady_clock::now();
    auto connection = take(fresh);
    if (!connection.ok()) {
      give_back(nullptr);
      return connection.error();
    }
    auto rows = (*connection)->pipeline(statements);
    const bool died = (*connection)->broken();
    if (!rows.ok() && !died && statements.size() > 1) (void)(*connection)->script("ROLLBACK");
    give_back(std::move(*connection));
    // A read that timed out is not tried again: the second try would take the caller as long.
    const bool hung = std::chrono::steady_clock::now() - start >= kPatience;
    if (rows.ok() || !died || fresh || hung) return rows;
  }
}

Result<std::unique_ptr<Connection>> ReadPool::take(bool& fresh) {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] { return free_slots_ > 0; });
  --free_slots_;
  if (!idle_.empty()) {
    auto out = std::move(idle_.back());
    idle_.pop_back();
    return out;
  }
  if (refused_ && std::chrono::steady_clock::now() < refused_until_) return *refused_;
  lock.unlock();
  fresh = true;
  const auto start = std::chrono::steady_clock::now();
  auto opened = open();
  const auto end = std::chrono::steady_clock::now();
  lock.lock();
  refused_.reset();
  // Only a failure that took its time is remembered for other callers. One that came at once costs them
  // little, and may be over.
  if (!opened.ok() && end - start >= kPatience) {
    refused_ = opened.error();
    refused_until_ = end + kPatience;
  }
  return opened;
}

Result<std::unique_ptr<Connection>> ReadPool::open() {
  auto opened = Connection::open(options_);
  if (!opened.ok()) return opened;
  if (auto prepared = (*opened)->prepare("read_"); !prepared.ok()) return prepared.error();
  return opened;
}

void ReadPool::give_back(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  ++free_slots_;
  if (connection && !connection->broken()) {
    idle_.push_back(std::move(connection));
  } else if (connection) {
    idle_.clear();  // what killed this one has probably killed the others
  }
  freed_.notify_one();
}

}  // namespace drover::postgres
