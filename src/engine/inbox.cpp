#include "inbox.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "drover/base/limits.hpp"

namespace drover::engine {
namespace {

constexpr Millis kCollecting{5};

}  // namespace

struct Inbox::Loads {
  std::mutex mutex;
  std::array<Load, 2> of;  // workers; all others
};

Inbox::Inbox(std::size_t calls) : limit_(calls), loads_(std::make_shared<Loads>()) {}

std::size_t Inbox::load_of(ports::Lane lane) {
  return lane == ports::Lane::workers ? 0 : 1;
}

void Inbox::post(Call call) {
  Error refusal;
  bool refused = false;
  if (call.lane != ports::Lane::system) {
    const std::size_t of = load_of(call.lane);
    const std::lock_guard lock(loads_->mutex);
    Load& load = loads_->of[of];
    refused = load.calls >= limit_ || load.bytes + call.bytes > limits::kChangeQueueBytes;
    if (refused) {
      refusal = overloaded("too many requests wait for the store; try again", 1);
    } else {
      ++load.calls;
      load.bytes += call.bytes;
      call.place = Place(nullptr, [loads = loads_, of, bytes = call.bytes](void*) {
        const std::lock_guard again(loads->mutex);
        --loads->of[of].calls;
        loads->of[of].bytes -= bytes;
      });
    }
  }
  if (!refused) {
    const std::lock_guard lock(mutex_);
    refused = mail_.closed;
    if (!refused) {
      mail_.calls.push_back(std::move(call));
      if (until_ == Until::anything) changed_.notify_one();
      return;
    }
    refusal = unavailable("the daemon is stopping", 1);
  }
  call.place.reset();
  call.refuse(refusal);
}

void Inbox::tell(News news) {
  const std::lock_guard lock(mutex_);
  mail_.news.push_back(std::move(news));
  changed_.notify_one();
}

Inbox::Mail Inbox::take(SteadyTime::duration patience, Until until) {
  std::unique_lock lock(mutex_);
  until_ = until;
  const auto enough = [&] {
    return (mail_.closed && !told_closed_) || !mail_.news.empty() ||
           (until == Until::anything && !mail_.calls.empty());
  };
  if (until == Until::news) patience = std::min<SteadyTime::duration>(patience, kCollecting);
  if (patience > SteadyTime::duration::zero()) changed_.wait_for(lock, patience, enough);
  Mail out;
  out.news.swap(mail_.news);
  out.calls.swap(mail_.calls);
  out.closed = told_closed_ = mail_.closed;
  return out;
}

void Inbox::close() {
  const std::lock_guard lock(mutex_);
  mail_.closed = true;
  changed_.notify_one();
}

}  // namespace drover::engine
