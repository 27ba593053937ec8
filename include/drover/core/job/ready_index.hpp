#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "drover/core/job/job.hpp"

namespace drover::core {

// Which jobs to try next: per queue an ordered set of keys. Memory holds exactly the ready keys up to a
// cursor; beyond it only the fact that there may be more. A queue that was never named is taken to have none;
// one that may have some is to be restart()ed. Not thread-safe. `capacity` bounds the keys of one queue.
//
// Keys are read from the store while jobs go on becoming ready and being claimed, and nobody knows which of
// these changes a reading has seen. From begin_reading() on the index therefore notes each add() and
// remove() of the queue, and finish_reading() lets them overrule what was read.
class ReadyIndex {
 public:
  explicit ReadyIndex(std::size_t capacity);

  // A key became ready. At or below the cursor it enters; above, only "more" is set. When full, the largest
  // is evicted and the cursor moves back to the largest that stays.
  void add(const std::string& queue, ReadyKey key);
  // A key is no longer ready (claimed, held, cancelled). False when it was not in memory.
  bool remove(const std::string& queue, ReadyKey key);
  // The best key over `queues`: by rank, then number.
  [[nodiscard]] std::optional<std::pair<std::string, ReadyKey>> best(
      std::span<const std::string> queues) const;
  // A queue of `queues` whose memory is empty while there may be more beyond its cursor.
  [[nodiscard]] std::optional<std::string> needs_refill(std::span<const std::string> queues) const;
  // Memory holds all ready keys of the queue.
  [[nodiscard]] bool is_whole(const std::string& queue) const;
  // Fewer than `few` keys of the queue are in memory, while there may be more beyond its cursor.
  [[nodiscard]] bool runs_low(const std::string& queue, std::size_t few) const;

  // The keys after the queue's cursor are about to be read; `anew`: all of them, in the place of those in
  // memory. Instead of an earlier reading of the queue. Returns where the reading starts.
  std::optional<ReadyKey> begin_reading(const std::string& queue, std::uint64_t reading, bool anew);
  [[nodiscard]] bool is_being_read(const std::string& queue) const;
  // What was read, in order; `exhausted`: the store has none beyond. False, and the answer is dropped: the
  // queue is not being read any more, or by another reading, or its cursor has moved back since. Then, and
  // when an answer does not come, a queue that lacks keys needs_refill() as before.
  bool finish_reading(const std::string& queue, std::uint64_t reading, std::span<const ReadyKey> keys,
                      bool exhausted);
  void give_up_reading(const std::string& queue, std::uint64_t reading);
  // Forgets the queue's keys, and any reading of them, and asks for all of them again.
  void restart(const std::string& queue);
  void clear();
  // Keys of the queue below `key`, counted in memory; nullopt when the key is not in memory.
  [[nodiscard]] std::optional<std::int64_t> ahead_of(const std::string& queue, ReadyKey key) const;
  [[nodiscard]] std::size_t size(const std::string& queue) const;
  // Queues of which anything is remembered.
  [[nodiscard]] std::size_t queues() const { return queues_.size(); }

 private:
  struct Reading {
    std::uint64_t number = 0;
    bool anew = false;
    std::optional<ReadyKey> after = {};
    std::map<ReadyKey, bool> changed = {};  // since it began: is the key ready now?
  };
  struct Queue {
    std::set<ReadyKey> keys;
    std::optional<ReadyKey> cursor;  // nullopt: nothing read yet
    bool more = false;               // there may be ready keys above the cursor
    std::optional<Reading> reading = {};
    bool covers(ReadyKey key) const { return !more || (cursor && key <= *cursor); }
  };
  using Queues = std::map<std::string, Queue, std::less<>>;
  void shrink(Queue& queue) const;
  void forget_if_empty(Queues::iterator queue);
  [[nodiscard]] Queues::iterator find_reading(const std::string& queue, std::uint64_t reading);

  std::size_t capacity_;
  Queues queues_;
};

}  // namespace drover::core
