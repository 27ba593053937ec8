#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "drover/http/message.hpp"

namespace drover::transport {

// How many streams one server has, and what they hold in memory together. Thread-safe.
class StreamRoom {
 public:
  StreamRoom(std::size_t streams, std::int64_t bytes)
      : most_streams_(static_cast<std::int64_t>(streams)), most_bytes_(bytes) {}
  // One more stream; false when there are as many as there may be.
  bool enter();
  void leave() { streams_.fetch_sub(1); }
  // Room for `bytes` more of a stream that holds `own`. A stream that stays within its share gets room even
  // when others have used up all of it, so that readers who keep up do not pay for those who do not. All
  // together hold at most twice `bytes` of the constructor, or kStreamPieceBytes each.
  bool take(std::size_t own, std::size_t bytes);
  void give(std::size_t bytes) { bytes_.fetch_sub(static_cast<std::int64_t>(bytes)); }

 private:
  const std::int64_t most_streams_;
  const std::int64_t most_bytes_;
  std::atomic<std::int64_t> streams_{0};
  std::atomic<std::int64_t> bytes_{0};
};

// What lies between a stream's producer, on any thread, and its connection, on its strand: the bytes that
// were sent and not yet written. They are kept as one run of bytes, so that a producer of tiny pieces costs
// no more memory than what it sends. Thread-safe; no call waits.
class StreamPipe {
 public:
  enum class State {
    open,    // more may come
    ended,   // nothing more comes, and it is whole
    broken,  // nothing more comes, and it is not whole: the producer let go of it, or the server stops
    cut,     // its reader is too slow: what was queued is thrown away
    closed,  // by the connection
  };
  struct Piece {
    std::string bytes;
    State then;  // the stream's state behind these bytes
  };

  // The caller has entered `room` for this stream; close() leaves it, and does not use it afterwards. `wake`
  // is called on a producer's thread when the connection has something to do; it must not block.
  StreamPipe(StreamRoom& room, std::function<void()> wake) : room_(room), wake_(std::move(wake)) {}
  StreamPipe(const StreamPipe&) = delete;
  StreamPipe& operator=(const StreamPipe&) = delete;
  ~StreamPipe() { close(); }

  // The producer's side, as http::Stream has it
  bool send(std::string piece);
  void end();
  void break_off();  // also the server's, when it stops; nothing after end()
  [[nodiscard]] bool open() const { return state() == State::open; }
  [[nodiscard]] std::size_t queued() const;
  bool when_drained(std::function<void()> call);

  // The connection's side
  [[nodiscard]] State state() const;
  // Takes all that is queued. A call says that what was taken before has been written.
  Piece take();
  // Nobody takes any more.
  void close();

 private:
  bool finish(State state);

  StreamRoom& room_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  State state_ = State::open;
  std::string queue_;
  std::size_t taken_ = 0;  // bytes that the connection is writing
  bool woken_ = false;     // take() will be called though nobody calls wake_ again
  std::function<void()> drained_;
};

// The producer's end of a pipe, which all copies of an http::Stream share. When the last copy goes, a stream
// that was not ended is broken off.
class StreamHandle final : public http::Stream::Sink {
 public:
  explicit StreamHandle(std::shared_ptr<StreamPipe> pipe) : pipe_(std::move(pipe)) {}
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;
  ~StreamHandle() override { pipe_->break_off(); }
  bool send(std::string piece) override { return pipe_->send(std::move(piece)); }
  void end() override { pipe_->end(); }
  [[nodiscard]] bool open() const override { return pipe_->open(); }
  [[nodiscard]] std::size_t queued() const override { return pipe_->queued(); }
  bool when_drained(std::function<void()> call) override { return pipe_->when_drained(std::move(call)); }

 private:
  std::shared_ptr<StreamPipe> pipe_;
};

}  // namespace drover::transport
