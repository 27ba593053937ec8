#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "drover/core/job/ready_index.hpp"

namespace drover::core {
namespace {

// The whole truth, as the database would hold it.
class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {}

  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  const std::string& any_queue() {
    return queues_[static_cast<std::size_t>(below(static_cast<int>(queues_.size())))];
  }
  ReadyKey any_key() { return {below(5) - 2, below(60)}; }

  // The page that SQL would give: at most `limit` keys after `after`.
  [[nodiscard]] std::vector<ReadyKey> page(const std::string& queue, std::optional<ReadyKey> after,
                                           int limit) const {
    std::vector<ReadyKey> out;
    const auto it = truth_.find(queue);
    if (it == truth_.end()) return out;
    for (const ReadyKey key : it->second) {
      if (after && key <= *after) continue;
      if (static_cast<int>(out.size()) == limit) break;
      out.push_back(key);
    }
    return out;
  }
  [[nodiscard]] std::optional<ReadyKey> best(const std::vector<std::string>& queues) const {
    std::optional<ReadyKey> best;
    for (const auto& name : queues) {
      const auto it = truth_.find(name);
      if (it == truth_.end() || it->second.empty()) continue;
      if (!best || *it->second.begin() < *best) best = *it->second.begin();
    }
    return best;
  }

  std::mt19937 random_;
  std::vector<std::string> queues_{"a", "b", "c"};
  std::map<std::string, std::set<ReadyKey>> truth_;
};

void refill_all(ReadyIndex& index, const Model& model, int page_size) {
  while (const auto queue = index.needs_refill(model.queues_)) {
    const auto after = index.begin_reading(*queue, 0, false);
    const auto page = model.page(*queue, after, page_size);
    ASSERT_TRUE(index.finish_reading(*queue, 0, page, static_cast<int>(page.size()) < page_size));
  }
}

// A reading on its way: between its three steps anything happens.
class Reading {
 public:
  Reading(ReadyIndex& index, Model& model, int page_size)
      : index_(index), model_(model), page_size_(page_size) {}
  void step() {
    if (queue_.empty()) {
      queue_ = model_.any_queue();
      // Only a queue of which something may be missing, or all of it, is read.
      anew_ = index_.is_whole(queue_) || model_.below(3) == 0;
      after_ = index_.begin_reading(queue_, ++number_, anew_);
    } else if (!page_) {
      page_ = model_.page(queue_, after_, page_size_);
    } else {
      index_.finish_reading(queue_, number_, *page_, static_cast<int>(page_->size()) < page_size_);
      page_.reset();
      queue_.clear();
    }
  }

 private:
  ReadyIndex& index_;
  Model& model_;
  int page_size_;
  std::uint64_t number_ = 0;
  std::string queue_;
  bool anew_ = false;
  std::optional<ReadyKey> after_;
  std::optional<std::vector<ReadyKey>> page_;
};

// After any history, refilled, the index answers as a search of the whole truth would: the cheapest place
// where a forgotten or an invented key shows.
TEST(ReadyIndexProperty, AgreesWithANaiveModel) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    Model model(seed);
    const auto capacity = static_cast<std::size_t>(1 + model.below(12));
    const int page_size = 1 + model.below(6);
    ReadyIndex index(capacity);
    Reading reading(index, model, page_size);
    for (int step = 0; step < 400; ++step) {
      const std::string queue = model.any_queue();
      const ReadyKey key = model.any_key();
      const int what = model.below(100);
      if (what < 50) {
        model.truth_[queue].insert(key);
        index.add(queue, key);
      } else if (what < 90) {
        const bool there = model.truth_[queue].erase(key) > 0;
        const bool removed = index.remove(queue, key);
        ASSERT_TRUE(there || !removed) << "seed " << seed << " step " << step << ": a key that was not ready";
      } else if (what < 94) {
        reading.step();
      } else if (what < 98) {
        refill_all(index, model, page_size);
        const auto best = index.best(model.queues_);
        const auto expected = model.best(model.queues_);
        ASSERT_EQ(best.has_value(), expected.has_value()) << "seed " << seed << " step " << step;
        if (best) {
          ASSERT_EQ(best->second, *expected) << "seed " << seed << " step " << step;
          const auto ahead = index.ahead_of(best->first, best->second);
          ASSERT_EQ(ahead, 0) << "seed " << seed << " step " << step;
        }
      } else {
        index.restart(queue);
      }
      ASSERT_LE(index.size(queue), capacity) << "seed " << seed << " step " << step;
    }
    // Drained by best(), every ready key comes exactly once and in order within its queue.
    std::size_t total = 0;
    for (const auto& [name, set] : model.truth_) total += set.size();
    while (true) {
      refill_all(index, model, page_size);
      const auto best = index.best(model.queues_);
      if (!best) break;
      ASSERT_EQ(best->second, *model.best(model.queues_)) << "seed " << seed;
      ASSERT_EQ(model.truth_[best->first].erase(best->second), 1U);
      ASSERT_TRUE(index.remove(best->first, best->second));
      --total;
    }
    ASSERT_EQ(total, 0U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace drover::core
