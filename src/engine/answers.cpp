#include "answers.hpp"

#include <exception>
#include <iterator>

#include "drover/base/log.hpp"
#include "drover/base/thread_name.hpp"

namespace drover::engine {
namespace {

constexpr std::size_t kWorkers = 0;
constexpr std::size_t kOthers = 1;

void append(std::vector<std::function<void()>>& to, std::vector<std::function<void()>>& from) {
  if (to.empty()) {
    to.swap(from);
  } else {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    from.clear();
  }
}

void call(const std::function<void()>& tell) {
  try {
    tell();
  } catch (const std::exception& error) {
    log_error("an answer was not told: {}", error.what());
  }
}

}  // namespace

void Answers::start() {
  thread_ = std::thread([this] { run(); });
}

void Answers::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Answers::add(ports::Lane lane, std::function<void()> tell) {
  of_this_round_[lane == ports::Lane::workers ? kWorkers : kOthers].push_back(std::move(tell));
}

void Answers::hand_over() {
  if (of_this_round_[kWorkers].empty() && of_this_round_[kOthers].empty()) return;
  const std::lock_guard lock(mutex_);
  for (const std::size_t of : {kWorkers, kOthers}) append(handed_over_[of], of_this_round_[of]);
  changed_.notify_one();
}

void Answers::run() {
  name_thread("answers");
  const auto empty = [this] { return handed_over_[kWorkers].empty() && handed_over_[kOthers].empty(); };
  while (true) {
    Batch batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !empty(); });
      if (empty()) return;
      batch.swap(handed_over_);
    }
    for (const auto& lane : batch) {
      for (const auto& tell : lane) call(tell);
    }
  }
}

}  // namespace drover::engine
