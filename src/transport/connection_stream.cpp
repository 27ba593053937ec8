#include <algorithm>
#include <cerrno>

#include <boost/asio/post.hpp>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "drover/http/problem.hpp"

#include "connection.hpp"
#include "render.hpp"
#include "request_rules.hpp"

namespace drover::transport {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// Bytes of a stream that the kernel may hold unsent. Without a bound it takes megabytes for each peer that
// does not read, and a stream of few bytes would seem to make progress for hours.
constexpr int kKernelBytes = 128 * 1024;

void set_tcp_option(int fd, int name, int value) {
  ::setsockopt(fd, IPPROTO_TCP, name, &value, sizeof value);  // may fail: the server's limits hold without
}

}  // namespace

// Why no stream may begin now.
std::optional<http::Response> Connection::stream_refusal() {
  if (shared_->stopping()) {
    return http::problem(unavailable("The server is stopping.", 1));
  }
  if (shared_->streams.enter()) return std::nullopt;
  return http::problem(unavailable("Too many streams are open.", 1));
}

void Connection::begin_stream(http::Response response) {
  const bool head_alone = head_only_ || !has_body(response.status);
  if (!head_alone) {
    // While a stream runs, the end of what the peer sends tells that the peer has gone. So that end must be
    // yet to come, and there must be room to read up to it.
    if (end_seen_ || in_.size() >= kAheadBytes) return close();
    if (std::optional<http::Response> refusal = stream_refusal()) {
      finish(false);
      return begin_answer(instead_of_stream(response, std::move(*refusal)), {});
    }
    stream_ = std::make_shared<StreamPipe>(shared_->streams, [weak = weak_from_this()] {
      if (const std::shared_ptr<Connection> self = weak.lock()) self->wake_stream();
    });
  }
  const bool http10 = parser_ != nullptr && parser_->http10();
  stream_chunked_ = !http10;
  stream_blocked_ = stream_last_ = false;
  close_after_ = response.close || !keep_alive_ || http10 || shared_->stopping();
  const auto kind = http10 ? Framing::Kind::until_close : Framing::Kind::chunks;
  out_head_ = render_head(response, Framing{0, close_after_, false, kind}, shared_->options.server_name,
                          SystemClock{}.wall());
  out_body_.clear();
  out_done_ = 0;
  deadline_ = SteadyTime::max();
  begin_progress();
  if (head_alone) return write_more();
  stage_ = Stage::streaming;
  set_tcp_option(socket_.native_handle(), TCP_NOTSENT_LOWAT, kKernelBytes);
  wait_readable();
  std::get<http::StreamBody>(response.body).begin(http::Stream(std::make_shared<StreamHandle>(stream_)));
  load_stream_piece();  // what was sent at once leaves with the head
  pump_stream();
}

// Bytes that the kernel has taken and the peer has not.
std::int64_t Connection::held_by_kernel() {
  int held = 0;
  return ::ioctl(socket_.native_handle(), SIOCOUTQ, &held) == 0 ? held : 0;
}

void Connection::begin_progress() {
  moving_since_ = SystemClock{}.steady();
  moved_ = 0;
  taken_ = -held_by_kernel();
}

// Asked when the write time-out of a stream has passed. The kernel takes bytes in large steps, so that
// nothing may have been written for long although the peer reads all the while: what the peer has taken
// counts. It must have taken something since the last look, and kLeastRate on the whole.
bool Connection::stream_is_read() {
  const std::int64_t held = held_by_kernel();
  const bool nothing_left = held == 0 && !stream_blocked_;
  if (nothing_left) return true;  // the producer is silent, and the peer has all
  const std::int64_t taken = moved_ - held;
  if (taken <= taken_) return false;
  taken_ = taken;
  const Seconds silence = shared_->options.write_time;
  const SteadyTime limit = moving_since_ + silence + Seconds(std::max<std::int64_t>(0, taken) / kLeastRate);
  if (SystemClock{}.steady() >= limit) return false;
  set_deadline(std::min(SystemClock{}.steady() + silence, limit));
  return true;
}

// On any thread.
void Connection::wake_stream() {
  const std::lock_guard lock(mutex_);
  if (gone_) return;
  asio::post(socket_.get_executor(), guarded([](Connection& self) { self.pump_stream(); }));
}

// Writes one piece, and leaves the next one to another turn of the event loop: a stream that never pauses
// must not keep the others waiting.
void Connection::pump_stream() {
  if (stage_ != Stage::streaming) return;
  if (stream_->state() == StreamPipe::State::cut) return cut_off();
  if (stream_blocked_) return;
  if (out_done_ == out_head_.size() + out_body_.size() && !load_stream_piece()) return;
  const ssize_t count = send_some();
  if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return close();
  if (count > 0) {
    out_done_ += static_cast<std::size_t>(count);
    moved_ += count;
  }
  set_progress_deadline(shared_->options.write_time);
  if (out_done_ == out_head_.size() + out_body_.size()) {
    if (load_stream_piece()) wake_stream();
    return;
  }
  stream_blocked_ = true;
  socket_.async_wait(Socket::wait_write, guarded([](Connection& self, error_code ec) {
                       self.stream_blocked_ = false;
                       if (self.stage_ != Stage::streaming) return;
                       if (ec) return self.close();
                       self.pump_stream();
                     }));
}

// Takes what is queued, framed, behind a head that was not written yet. False when there is nothing to write:
// the producer is silent, or the stream is over and the connection has gone on or is closed.
bool Connection::load_stream_piece() {
  if (out_done_ > 0) {
    out_head_.clear();
    std::string().swap(out_body_);  // a silent stream holds no buffer
    out_done_ = 0;
  }
  if (stream_last_) {
    end_stream();
    return false;
  }
  auto [bytes, then] = stream_->take();
  if (then == StreamPipe::State::cut) {
    cut_off();
    return false;
  }
  if (bytes.empty() && then == StreamPipe::State::broken) {
    break_stream();
    return false;
  }
  stream_last_ = then == StreamPipe::State::ended;
  if (stream_chunked_ && !bytes.empty()) {
    out_head_ += fmt::format("{:x}\r\n", bytes.size());
    bytes += "\r\n";
  }
  if (stream_chunked_ && stream_last_) bytes += "0\r\n\r\n";
  out_body_ = std::move(bytes);
  if (out_head_.empty() && out_body_.empty()) {
    if (stream_last_) {
      end_stream();
    } else if (held_by_kernel() == 0) {
      deadline_ = SteadyTime::max();  // no deadline for the peer while the producer is silent
    } else {
      set_deadline(SystemClock{}.steady() +
                   shared_->options.write_time);  // the peer has yet to take the rest
    }
    return false;
  }
  if (deadline_ == SteadyTime::max()) begin_progress();
  return true;
}

void Connection::end_stream() {
  set_tcp_option(socket_.native_handle(), TCP_NOTSENT_LOWAT, 0);
  const std::shared_ptr<StreamPipe> stream = std::move(stream_);
  stage_ = Stage::writing;
  stream->close();
  on_answered();
}

// Called when the server stops. The peer gets what it takes without waiting.
void Connection::stop_stream() {
  stream_->break_off();
  while (stage_ == Stage::streaming && !stream_blocked_) pump_stream();
  if (stage_ == Stage::streaming && stream_->state() != StreamPipe::State::ended) break_stream();
}

// Closes so that the peer sees that the body is not whole. A body in chunks lacks its last one; where the end
// of the connection is that of the body (HTTP/1.0), only a reset can tell.
void Connection::break_stream() {
  if (!stream_chunked_) close_with_reset();
  close();
}

// Closes the connection of a peer that reads too slowly. The reset makes the kernel drop what it still holds
// for the peer.
void Connection::cut_off() {
  log_debug("a stream to {} is cut off: it is read too slowly", peer_);
  close_with_reset();
  close();
}

void Connection::close_with_reset() {
  const ::linger now{1, 0};
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace drover::transport
