#include "drover/core/job/ready_index.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace drover::core {

ReadyIndex::ReadyIndex(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

void ReadyIndex::add(const std::string& queue, ReadyKey key) {
  Queue& q = queues_[queue];
  if (q.reading) q.reading->changed[key] = true;
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
  if (it->second.reading) it->second.reading->changed[key] = false;
  const bool removed = it->second.keys.erase(key) > 0;
  forget_if_empty(it);
  return removed;
}

// Drops the entry of a queue that is known to be empty. Clients make up queue names without end, so that
// entries which stayed would fill the memory.
void ReadyIndex::forget_if_empty(Queues::iterator queue) {
  const Queue& q = queue->second;
  if (q.keys.empty() && !q.more && !q.reading) queues_.erase(queue);
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

bool ReadyIndex::runs_low(const std::string& queue, std::size_t few) const {
  const auto it = queues_.find(queue);
  return it != queues_.end() && it->second.more && it->second.keys.size() < few;
}

std::optional<ReadyKey> ReadyIndex::begin_reading(const std::string& queue, std::uint64_t reading,
                                                  bool anew) {
  Queue& q = queues_[queue];
  const std::optional<ReadyKey> after = anew ? std::nullopt : q.cursor;
  q.reading = Reading{reading, anew, after};
  return after;
}

bool ReadyIndex::is_being_read(const std::string& queue) const {
  const auto it = queues_.find(queue);
  return it != queues_.end() && it->second.reading;
}

ReadyIndex::Queues::iterator ReadyIndex::find_reading(const std::string& queue, std::uint64_t reading) {
  const auto it = queues_.find(queue);
  const bool is_it = it != queues_.end() && it->second.reading && it->second.reading->number == reading;
  return is_it ? it : queues_.end();
}

bool ReadyIndex::finish_reading(const std::string& queue, std::uint64_t reading,
                                std::span<const ReadyKey> keys, bool exhausted) {
  const auto it = find_reading(queue, reading);
  if (it == queues_.end()) return false;
  Queue& q = it->second;
  const Reading read = std::move(*std::exchange(q.reading, std::nullopt));
  if (!read.anew && q.cursor != read.after) {
    forget_if_empty(it);
    return false;
  }
  if (read.anew) q.keys.clear();
  q.cursor = keys.empty() ? read.after : keys.back();
  q.more = !exhausted;
  q.keys.insert(keys.begin(), keys.end());
  for (const auto& [key, ready] : read.changed) {
    if (!ready) {
      q.keys.erase(key);
    } else if (q.covers(key)) {
      q.keys.insert(key);
    }
  }
  shrink(q);
  forget_if_empty(it);
  return true;
}

void ReadyIndex::give_up_reading(const std::string& queue, std::uint64_t reading) {
  const auto it = find_reading(queue, reading);
  if (it == queues_.end()) return;
  it->second.reading.reset();
  forget_if_empty(it);
}

void ReadyIndex::restart(const std::string& queue) {
  queues_[queue] = Queue{{}, std::nullopt, true, {}};
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
