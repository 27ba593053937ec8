#include "stream_pipe.hpp"

#include <algorithm>
#include <exception>

#include "drover/base/limits.hpp"
#include "drover/base/log.hpp"

namespace drover::transport {

namespace {

void tell_drained(const std::function<void()>& call) {
  if (!call) return;
  try {
    call();
  } catch (const std::exception& error) {
    log_error("a stream's producer threw: {}", error.what());
  }
}

}  // namespace

bool StreamRoom::enter() {
  if (streams_.fetch_add(1) < most_streams_) return true;
  streams_.fetch_sub(1);
  return false;
}

bool StreamRoom::take(std::size_t own, std::size_t bytes) {
  if (bytes > limits::kStreamQueueBytes || own > limits::kStreamQueueBytes - bytes) return false;
  const auto wanted = static_cast<std::int64_t>(bytes);
  const std::int64_t share = std::max(most_bytes_ / std::max<std::int64_t>(1, streams_.load()),
                                      static_cast<std::int64_t>(limits::kStreamPieceBytes));
  const std::int64_t before = bytes_.fetch_add(wanted);
  if (before + wanted <= most_bytes_ || static_cast<std::int64_t>(own) + wanted <= share) return true;
  bytes_.fetch_sub(wanted);
  return false;
}

bool StreamPipe::send(std::string piece) {
  std::string unsent;  // freed without the lock
  bool taken = true;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::open) return false;
    if (piece.empty()) return true;
    taken = room_.take(queue_.size() + taken_, piece.size());
    if (!taken) {
      state_ = State::cut;
      room_.give(queue_.size());
      unsent.swap(queue_);
    } else if (queue_.empty()) {
      queue_ = std::move(piece);
    } else {
      queue_ += piece;
    }
    // A connection that was woken will call take() by itself, but not before its peer has taken something.
    // One that is to be cut off must not wait for that, so it is woken in any case.
    if (std::exchange(woken_, true) && taken) return true;
  }
  wake_();
  return taken;
}

bool StreamPipe::finish(State state) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::open) return false;
  state_ = state;
  return !std::exchange(woken_, true);
}

void StreamPipe::end() {
  if (finish(State::ended)) wake_();
}

void StreamPipe::break_off() {
  if (finish(State::broken)) wake_();
}

std::size_t StreamPipe::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() + taken_;
}

StreamPipe::State StreamPipe::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

bool StreamPipe::when_drained(std::function<void()> call) {
  std::function<void()> replaced;  // destroyed without the lock: it may hold anything
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::open) return false;
    replaced = std::exchange(drained_, std::move(call));
    if (std::exchange(woken_, true)) return true;
  }
  wake_();
  return true;
}

StreamPipe::Piece StreamPipe::take() {
  std::function<void()> drained;
  Piece piece{{}, State::open};
  {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    room_.give(taken_);
    taken_ = queue_.size();
    piece.bytes.swap(queue_);
    piece.then = state_;
    if (piece.bytes.empty()) drained = std::exchange(drained_, nullptr);
  }
  tell_drained(drained);
  return piece;
}

void StreamPipe::close() {
  std::function<void()> drained;
  std::string unsent;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::closed) return;
    state_ = State::closed;
    room_.give(queue_.size() + taken_);
    room_.leave();
    taken_ = 0;
    unsent.swap(queue_);
    drained = std::exchange(drained_, nullptr);
  }
  tell_drained(drained);
}

}  // namespace drover::transport
