#include "drover/core/job/ready_index.hpp"

#include <algorithm>
#include <iterator>

namespace drover::core {

ReadyIndex::ReadyIndex(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

void ReadyIndex::add(const std::string& queue, ReadyKey key) {
  Queue& q = queues_[queue];
  if (!q.covers(key)) return;  // `more` is set already: a key is uncovered only while there may be more
  q.keys.insert(key);
  shrink(q);
}

// Memory stays exact below the cursor: what is evicted lies above it from then on.
void ReadyIndex::shrink(Queue& q) const {
  while (q.keys.size() > capacity_) {
    q.keys.erase(std::prev(q.keys.end()));
    q.cursor = *q.keys.rbegin();
    q.more = true;
  }
}

bool ReadyIndex::remove(const std::string& queue, ReadyKey key) {
  const auto it = queues_.find(queue);
  if (it == queues_.end()) return false;
  const bool removed = it->second.keys.erase(key) > 0;
  forget_if_empty(it);
  return removed;
}

// What is known to be empty needs no entry: clients make queue names up, without end.
void ReadyIndex::forget_if_empty(Queues::iterator queue) {
  if (queue->second.keys.empty() && !queue->second.more) queues_.erase(queue);
}

std::optional<std::pair<std::string, ReadyKey>> ReadyIndex::best(std::span<const std::string> queues) const {
  const std::string* best_queue = nullptr;
  ReadyKey best_key;
  for (const std::string& name : queues) {
    const auto it = queues_.find(name);
    if (it == queues_.end() || it->second.keys.empty()) continue;
    const ReadyKey key = *it->second.keys.begin();
    if (best_queue == nullptr || key < best_key) {
      best_queue = &name;
      best_key = key;
    }
  }
  if (best_queue == nullptr) return std::nullopt;
  return std::pair(*best_queue, best_key);
}

std::optional<std::string> ReadyIndex::needs_refill(std::span<const std::string> queues) const {
  for (const std::string& name : queues) {
    const auto it = queues_.find(name);
    if (it != queues_.end() && it->second.keys.empty() && it->second.more) return name;
  }
  return std::nullopt;
}

bool ReadyIndex::is_whole(const std::string& queue) const {
  const auto it = queues_.find(queue);
  return it == queues_.end() || !it->second.more;
}

std::optional<ReadyKey> ReadyIndex::cursor(const std::string& queue) const {
  const auto it = queues_.find(queue);
  return it == queues_.end() ? std::nullopt : it->second.cursor;
}

void ReadyIndex::refill(const std::string& queue, std::span<const ReadyKey> keys, bool exhausted) {
  const auto it = queues_.try_emplace(queue).first;
  Queue& q = it->second;
  for (const ReadyKey key : keys) {
    q.keys.insert(q.keys.end(), key);
    if (!q.cursor || *q.cursor < key) q.cursor = key;
  }
  q.more = !exhausted;
  shrink(q);
  forget_if_empty(it);
}

void ReadyIndex::restart(const std::string& queue) {
  queues_[queue] = Queue{{}, std::nullopt, true};
}

void ReadyIndex::clear() {
  queues_.clear();
}

std::optional<std::int64_t> ReadyIndex::ahead_of(const std::string& queue, ReadyKey key) const {
  const auto it = queues_.find(queue);
  if (it == queues_.end()) return std::nullopt;
  const auto place = it->second.keys.find(key);
  if (place == it->second.keys.end()) return std::nullopt;
  return std::distance(it->second.keys.begin(), place);
}

std::size_t ReadyIndex::size(const std::string& queue) const {
  const auto it = queues_.find(queue);
  return it == queues_.end() ? 0 : it->second.keys.size();
}

}  // namespace drover::core
