#include "pipeline.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "drover/base/check.hpp"
#include "drover/base/failpoint.hpp"
#include "drover/base/limits.hpp"

namespace drover::engine {
namespace {

std::size_t lane_index(ports::Lane lane) {
  switch (lane) {
    case ports::Lane::system:
    case ports::Lane::workers:
      return 0;
    case ports::Lane::operators:
      return 1;
    case ports::Lane::submissions:
      return 2;
  }
  return 2;
}

}  // namespace

void Pipeline::add(Work work) {
  lanes_[lane_index(work.lane)].push_back(std::move(work));
}

std::size_t Pipeline::waiting() const {
  std::size_t out = put_off_.size();
  for (const auto& lane : lanes_) out += lane.size();
  return out;
}

bool Pipeline::is_full() const {
  return forming_.size() >= limits::kBatchChanges || rows_ >= limits::kBatchRows ||
         bytes_ >= limits::kBatchBytes;
}

bool Pipeline::has_taken_key(const Work& work) const {
  return std::ranges::any_of(work.keys, [&](const auto& key) { return taken_.contains(key); });
}

void Pipeline::begin() {
  DROVER_CHECK(!under_way() && forming_.empty(), "a batch is formed while another is under way");
  taken_.clear();
  rows_ = 0;
  bytes_ = 0;
  fill_from(put_off_);
}

bool Pipeline::offer(Work work) {
  if (is_full() || has_taken_key(work)) return false;
  work.again = false;
  make(std::move(work));
  return true;
}

std::size_t Pipeline::fill(std::size_t numbers) {
  fill_from(lanes_[0]);
  fill_from(lanes_[1]);
  std::size_t lacking = 0;
  std::deque<Work>& submissions = lanes_[2];
  while (!submissions.empty() && !is_full()) {
    Work work = std::move(submissions.front());
    if (work.numbers > numbers) {
      lacking = work.numbers - numbers;
      submissions.front() = std::move(work);
      break;
    }
    submissions.pop_front();
    numbers -= work.numbers;
    make(std::move(work));
  }
  put_off_.insert(put_off_.begin(), std::make_move_iterator(put_off_next_.begin()),
                  std::make_move_iterator(put_off_next_.end()));
  put_off_next_.clear();
  return lacking;
}

void Pipeline::fill_from(std::deque<Work>& lane) {
  while (!lane.empty() && !is_full()) {
    Work work = std::move(lane.front());
    lane.pop_front();
    if (!has_taken_key(work)) {
      make(std::move(work));
      continue;
    }
    // So that no later work with one of these keys overtakes it.
    taken_.insert(work.keys.begin(), work.keys.end());
    put_off_next_.push_back(std::move(work));
  }
}

void Pipeline::make(Work work) {
  taken_.insert(work.keys.begin(), work.keys.end());
  work.place.reset();
  auto made = work.make();
  if (!made.ok()) {
    work.fail(made.error());
  } else if (*made) {
    rows_ += work.rows;
    bytes_ += work.bytes;
    forming_.push_back(Made{std::move(work), std::move(**made)});
  }
}

std::vector<ports::Change> Pipeline::send() {
  DROVER_CHECK(!under_way(), "a batch is sent while another is under way");
  std::vector<ports::Change> changes;
  changes.reserve(forming_.size());
  under_way_.emplace();
  under_way_->reserve(forming_.size());
  for (Made& made : forming_) {
    changes.push_back(std::move(made.change));
    under_way_->push_back(std::move(made.work));
  }
  forming_.clear();
  return changes;
}

void Pipeline::nothing_sent() {
  DROVER_CHECK(under_way() && under_way_->empty(), "a batch with changes was not sent");
  under_way_.reset();
}

void Pipeline::outcome(OrderDone& done, bool leading) {
  DROVER_CHECK(under_way() && under_way_->size() == done.fates.size(), "an outcome of another batch");
  std::vector<Work> works = std::move(*std::exchange(under_way_, std::nullopt));
  answering_.assign(std::make_move_iterator(works.begin()), std::make_move_iterator(works.end()));
  const auto settled = [&](std::size_t i) { return std::get_if<ports::Settled>(&done.fates[i]); };
  // Memory takes in the whole batch before any caller is told: a caller that is told of one change may at
  // once ask about another.
  for (std::size_t i = 0; leading && i < done.fates.size(); ++i) {
    if (settled(i) != nullptr && ports::refusal(*settled(i)) == nullptr)
      remember_(done.changes[i], *settled(i));
  }
  const bool carried_out = std::ranges::any_of(
      done.fates, [](const Fate& fate) { return std::holds_alternative<ports::Settled>(fate); });
  if (carried_out) {
    DROVER_FAILPOINT_EACH("commit", done.changes, "applied");
  }
  for (std::size_t i = 0; i < done.fates.size(); ++i) {
    Work work = std::move(answering_.front());
    answering_.pop_front();
    if (settled(i) != nullptr) {
      work.done(std::move(*settled(i)));
    } else if (const Error* error = std::get_if<Error>(&done.fates[i])) {
      work.fail(*error);
    } else {
      doubtful_.push_back(std::move(work));
    }
  }
  if (carried_out) {
    DROVER_FAILPOINT_EACH("commit", done.changes, "answered");
  }
}

void Pipeline::resolved(Resolved resolved) {
  std::deque<Work> works = std::exchange(doubtful_, {});
  if (works.empty()) return;  // their callers were told that the outcome is not known
  DROVER_CHECK(!resolved.committed || works.size() == resolved.settled.size(),
               "the changes in doubt are others");
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (resolved.committed) {
      works[i].done(std::move(resolved.settled[i]));  // the next term reads the store anew
    } else if (works[i].again) {
      add(std::move(works[i]));
    } else {
      works[i].fail(unavailable("the store went away; nothing was changed", 1));
    }
  }
}

void Pipeline::abandon_doubt(const Error& error) {
  // If a check failed while callers were told, the works that were to follow are still here.
  for (const Work& work : std::exchange(answering_, {})) work.fail(error);
  for (const Work& work : std::exchange(doubtful_, {})) work.fail(error);
}

void Pipeline::refuse_all(const Error& error) {
  std::deque<Work> all = std::exchange(put_off_, {});
  for (auto& lane : lanes_) {
    all.insert(all.end(), std::make_move_iterator(lane.begin()), std::make_move_iterator(lane.end()));
    lane.clear();
  }
  for (Made& made : std::exchange(forming_, {})) all.push_back(std::move(made.work));
  for (Work& work : all) {
    work.place.reset();
    work.fail(error);
  }
}

}  // namespace drover::engine
