#include <cerrno>
#include <cstring>

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "drover/http/problem.hpp"

#include "connection.hpp"
#include "render.hpp"

namespace drover::transport {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kFilePieceBytes = 128 * 1024;
constexpr Seconds kLinger{2};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

void Connection::answer(http::Response response, std::function<void(bool)> done) {
  std::unique_lock lock(mutex_);
  if (gone_) {
    lock.unlock();
    if (done) done(false);
    return;
  }
  asio::post(socket_.get_executor(),
             guarded([response = std::move(response), done = std::move(done)](Connection& self) mutable {
               self.begin_answer(std::move(response), std::move(done));
             }));
}

// Answers without reading on; the rest of what the peer sends is thrown away.
void Connection::refuse(http::Response response) {
  response.close = true;
  body_.reset();
  begin_answer(std::move(response), {});
}

void Connection::begin_answer(http::Response response, std::function<void(bool)> done) {
  done_ = std::move(done);
  if (stage_ == Stage::closed) return finish(false);
  if (response.abandon) return close();
  stage_ = Stage::writing;
  reaches_peer_ = peer_open_.load();
  const bool known = response.status >= 200 && response.status <= 599;
  if (known && std::holds_alternative<http::StreamBody>(response.body))
    return begin_stream(std::move(response));
  std::int64_t length = 0;
  if (!known || !prepare_body(response, length)) {
    log_error("an answer of status {} cannot be sent", response.status);
    response = http::problem(500, "internal", "The answer could not be sent.");
    prepare_body(response, length);
  }
  close_after_ = response.close || !keep_alive_ || shared_->stopping();
  const Framing framing{length, close_after_, parser_ != nullptr && parser_->http10()};
  out_head_ = render_head(response, framing, shared_->options.server_name, SystemClock{}.wall());
  if (head_only_ || !has_body(response.status)) {
    out_body_.clear();
    file_left_ = 0;
  }
  out_done_ = 0;
  moving_since_ = SystemClock{}.steady();
  moved_ = 0;
  write_more();
}

// False when the file is not there or too short.
bool Connection::prepare_body(http::Response& response, std::int64_t& length) {
  if (std::string* text = std::get_if<std::string>(&response.body)) {
    length = static_cast<std::int64_t>(text->size());
    out_body_ = std::move(*text);
    return true;
  }
  const http::FileBody& body = std::get<http::FileBody>(response.body);
  file_ = ::open(body.path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts {};
  const bool usable = file_ >= 0 && ::fstat(file_, &facts) == 0 && S_ISREG(facts.st_mode) &&
                      body.offset >= 0 && body.length >= 0 && body.offset <= facts.st_size &&
                      body.length <= facts.st_size - body.offset;
  if (!usable) {
    log_error("the file {} cannot be sent from {} for {} bytes", body.path, body.offset, body.length);
    if (file_ >= 0) ::close(file_);
    file_ = -1;
    return false;
  }
  length = file_left_ = body.length;
  file_at_ = body.offset;
  return true;
}

bool Connection::load_file_piece() {
  out_head_.clear();
  out_done_ = 0;
  out_body_.resize(static_cast<std::size_t>(std::min<std::int64_t>(file_left_, kFilePieceBytes)));
  ssize_t count = -1;
  do {
    count = ::pread(file_, out_body_.data(), out_body_.size(), file_at_);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) {
    log_error("a file being sent could not be read to its end: {}",
              count < 0 ? std::strerror(errno) : "it became shorter");
    return false;
  }
  out_body_.resize(static_cast<std::size_t>(count));
  file_at_ += count;
  file_left_ -= count;
  return true;
}

void Connection::write_more() {
  if (out_done_ == out_head_.size() + out_body_.size()) {
    if (file_left_ == 0) return on_answered();
    if (!load_file_piece()) return close();
  }
  const ssize_t count = send_some();
  if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return close();
  if (count > 0) {
    out_done_ += static_cast<std::size_t>(count);
    moved_ += count;
  }
  // Most answers are written at once, and need no further turn of the event loop.
  if (file_left_ == 0 && out_done_ == out_head_.size() + out_body_.size()) return on_answered();
  set_progress_deadline(shared_->options.write_time);
  socket_.async_wait(Socket::wait_write, guarded([](Connection& self, error_code ec) {
                       if (self.stage_ == Stage::closed) return;
                       if (ec) return self.close();
                       self.write_more();
                     }));
}

ssize_t Connection::send_some() {
  const std::size_t head_done = std::min(out_done_, out_head_.size());
  const std::size_t body_done = out_done_ - head_done;
  std::array<iovec, 2> parts{iovec{out_head_.data() + head_done, out_head_.size() - head_done},
                             iovec{out_body_.data() + body_done, out_body_.size() - body_done}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  return ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Connection::on_answered() {
  deadline_ = SteadyTime::max();
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  out_head_.clear();
  std::string().swap(out_body_);
  parser_.reset();
  scanner_ = HeadScanner(shared_->options.max_header_bytes);
  head_timed_ = head_only_ = keep_alive_ = false;
  finish(reaches_peer_);
  if (stage_ == Stage::closed) return;
  if (close_after_) return linger();
  if (in_.empty()) return next();
  // Of requests that were sent ahead, one is served in each turn of the event loop, so that one client does
  // not hold up the others.
  asio::post(socket_.get_executor(), guarded([](Connection& self) {
               if (self.stage_ == Stage::writing) self.next();
             }));
}

void Connection::send_continue() {
  asio::async_write(socket_, asio::buffer(kContinue),
                    guarded([](Connection& self, error_code ec, std::size_t) {
                      if (self.stage_ != Stage::body) return;
                      if (ec) return self.close();
                      self.read_body();
                    }));
}

// Closing with unread bytes in the socket would make the kernel send a reset, which can destroy the answer
// before the peer has read it. So the sending half is shut down first, and what the peer sends is read for a
// moment before the connection is closed.
void Connection::linger() {
  if (end_seen_) return close();
  stage_ = Stage::lingering;
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  std::string().swap(in_);
  set_deadline(SystemClock{}.steady() + kLinger);
  wait_readable();
}

void Connection::close() {
  if (stage_ == Stage::closed) return;
  stage_ = Stage::closed;
  peer_open_ = false;
  {
    const std::lock_guard lock(mutex_);
    gone_ = true;
  }
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel(ignored);
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  body_.reset();
  if (stream_) stream_->close();
  finish(false);
  shared_->remove(this);
}

void Connection::finish(bool delivered) {
  if (!done_) return;
  const std::function<void(bool)> done = std::move(done_);
  done_ = nullptr;
  try {
    done(delivered);
  } catch (const std::exception& error) {
    log_error("a completion callback threw: {}", error.what());
  }
}

}  // namespace drover::transport
