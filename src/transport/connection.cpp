#include "connection.hpp"

#include <cerrno>

#include <boost/asio/post.hpp>
#include <sys/socket.h>

#include "drover/base/text.hpp"
#include "drover/http/problem.hpp"

#include "exchange.hpp"
#include "request_rules.hpp"

namespace drover::transport {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kUsualFields = 12;              // of a header: room for them is made at once
constexpr std::size_t kChunkHeaderBytes = 16 * 1024;  // a chunk's size line, or all trailers
constexpr std::size_t kLingerBytes =
    64 * 1024 * 1024;  // thrown away at most before a refused peer is cut off
constexpr SteadyTime::rep kBusy = SteadyTime::max().time_since_epoch().count();
constexpr Seconds kIdleAWhile{5};

SteadyTime now() {
  return SystemClock{}.steady();
}

}  // namespace

Connection::Connection(std::shared_ptr<Shared> shared, Socket socket, std::string peer)
    : shared_(std::move(shared)),
      socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      peer_(std::move(peer)),
      scanner_(shared_->options.max_header_bytes),
      quiet_since_(now().time_since_epoch().count()) {}

Connection::~Connection() {
  close();
}

void Connection::start() {
  asio::post(socket_.get_executor(), guarded([](Connection& self) {
               if (self.stage_ == Stage::closed) return;
               self.head_timed_ = true;
               self.set_deadline(now() + self.shared_->options.header_time);
               self.wait_readable();
             }));
}

void Connection::wind_down() {
  asio::post(socket_.get_executor(), guarded([](Connection& self) {
               if (self.stage_ == Stage::head && self.in_.empty()) self.close();
               if (self.stage_ == Stage::streaming && self.shared_->stopping()) self.stop_stream();
             }));
}

std::optional<SteadyTime> Connection::idle_since(SteadyTime at) const {
  const SteadyTime::rep since = quiet_since_.load();
  if (since == kBusy) return std::nullopt;
  const SteadyTime quiet{SteadyTime::duration{since}};
  if (spoke_.load() && at - quiet < kIdleAWhile) return std::nullopt;
  return quiet;
}

void Connection::give_way() {
  quiet_since_ = kBusy;  // so that it is not chosen again
  wind_down();
}

void Connection::abort() {
  asio::post(socket_.get_executor(), guarded([](Connection& self) { self.close(); }));
}

void Connection::wait_readable() {
  if (waiting_ || end_seen_ || stage_ == Stage::closed) return;
  waiting_ = true;
  socket_.async_wait(Socket::wait_read, guarded([](Connection& self, error_code ec) {
                       self.waiting_ = false;
                       if (self.stage_ == Stage::closed) return;
                       if (ec) return self.close();
                       self.on_readable();
                     }));
}

void Connection::on_readable() {
  char buffer[kReadBytes];
  const ssize_t count = ::recv(socket_.native_handle(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (count > 0) return take({buffer, static_cast<std::size_t>(count)});
  if (count == 0) return on_peer_end();
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return wait_readable();
  close();
}

void Connection::take(std::string_view data) {
  spoke_ = true;
  quiet_since_ = kBusy;
  switch (stage_) {
    case Stage::head:
      in_ += data;
      return next();
    case Stage::body:
      moved_ += static_cast<std::int64_t>(data.size());
      set_progress_deadline(shared_->options.body_time);
      if (in_.empty()) {  // the usual case: parsed without another copy
        std::optional<http::Response> refusal;
        data.remove_prefix(parser_->body(data, body_, refusal));
        if (refusal) return refuse(std::move(*refusal));
      }
      in_ += data;
      return read_body();
    case Stage::pending:
    case Stage::writing:
      in_ += data;
      if (in_.size() < kAheadBytes) wait_readable();
      return;
    case Stage::streaming:
      in_ += data;
      // A peer that sends so much ahead is cut off. If it were left unread instead, its end could not be
      // noticed.
      if (in_.size() >= kAheadBytes) return close();
      return wait_readable();
    case Stage::lingering:
      lingered_ += data.size();
      if (lingered_ > kLingerBytes) return close();
      return wait_readable();
    case Stage::closed:
      return;
  }
}

// The peer has closed, or only its sending half: what it asked before is answered, in case it still listens.
void Connection::on_peer_end() {
  end_seen_ = true;
  peer_open_ = false;
  if (stage_ == Stage::head) return next();
  if (stage_ == Stage::body || stage_ == Stage::lingering) close();
  // A stream may have no end of its own, so it must not go on for a peer that has gone.
  if (stage_ == Stage::streaming && stream_->state() != StreamPipe::State::ended) close();
}

void Connection::next() {
  stage_ = Stage::head;
  switch (scanner_.scan(in_)) {
    case HeadScanner::State::more:
      return on_need_more_head();
    case HeadScanner::State::complete:
      return on_head();
    case HeadScanner::State::bad:
      return refuse(bad_request("The header holds a bare CR or LF, a NUL or a folded line."));
    case HeadScanner::State::header_too_large:
      return refuse(header_too_large(shared_->options.max_header_bytes));
    case HeadScanner::State::target_too_long:
      return refuse(target_too_long());
  }
}

void Connection::on_need_more_head() {
  if (in_.empty() && (end_seen_ || shared_->stopping())) return close();
  if (end_seen_) return refuse(bad_request("The request ends within its header."));
  if (!head_timed_) {
    // A request begins with its first byte. From then on the whole header must arrive within header_time.
    head_timed_ = !in_.empty();
    set_deadline(now() + (head_timed_ ? shared_->options.header_time : shared_->options.idle_time));
  }
  if (in_.empty()) quiet_since_ = now().time_since_epoch().count();
  if (in_.empty() && in_.capacity() > kAheadBytes) std::string().swap(in_);
  wait_readable();
}

void Connection::on_head() {
  request_ = http::Request{};
  request_.peer = peer_;
  request_.headers.reserve(kUsualFields);
  parser_ = std::make_unique<RequestParser>();
  const std::string_view block =
      std::string_view(in_).substr(scanner_.begin(), scanner_.end() - scanner_.begin());
  if (auto refusal = parser_->head(block, request_)) return refuse(std::move(*refusal));
  in_.erase(0, scanner_.end());
  keep_alive_ = parser_->keep_alive();
  head_only_ = request_.method == "HEAD";
  std::variant<http::BodyPolicy, http::Response> verdict;
  try {
    verdict = shared_->handler.on_head(request_);
  } catch (const std::exception& error) {
    log_error("a handler threw at a header: {}", error.what());
    return refuse(http::problem(500, "internal", "Something went wrong inside the server."));
  }
  if (http::Response* refusal = std::get_if<http::Response>(&verdict))
    return refuse_unread(std::move(*refusal));
  on_policy(std::get<http::BodyPolicy>(verdict));
}

void Connection::on_policy(const http::BodyPolicy& policy) {
  const std::optional<std::uint64_t> length = parser_->content_length();
  if (length && *length > static_cast<std::uint64_t>(policy.max_bytes)) {
    return refuse_unread(body_too_large(policy.max_bytes));
  }
  parser_->limit_body(policy.max_bytes);
  if (policy.spool) {
    const Status status = body_.to_file(shared_->options.spool_directory);
    if (!status.ok()) return refuse_unread(http::problem(status.error()));
  } else {
    body_.to_memory(shared_->budget);
  }
  stage_ = Stage::body;
  moving_since_ = now();
  moved_ = 0;
  set_progress_deadline(shared_->options.body_time);
  // A client that is sending its body already does not wait for a 100 (Continue).
  const bool invited = iequals(request_.header("expect"), "100-continue") && !parser_->http10();
  if (invited && in_.empty() && !parser_->complete()) return send_continue();
  read_body();
}

// Refuses a request after its header. A small body is read and dropped, so that the connection can go on; a
// large one ends the connection.
void Connection::refuse_unread(http::Response response) {
  const std::optional<std::uint64_t> length = parser_->content_length();
  const bool waits = !request_.header("expect").empty();
  if (parser_->complete() || (length && *length <= static_cast<std::uint64_t>(kReadAwayBytes) && !waits)) {
    held_answer_ = std::move(response);
    body_.to_nowhere();
    parser_->limit_body(kReadAwayBytes);
    stage_ = Stage::body;
    moving_since_ = now();
    moved_ = 0;
    set_progress_deadline(shared_->options.body_time);
    return read_body();
  }
  refuse(std::move(response));
}

void Connection::read_body() {
  if (!parser_->complete() && !in_.empty()) {
    std::optional<http::Response> refusal;
    in_.erase(0, parser_->body(in_, body_, refusal));
    if (refusal) return refuse(std::move(*refusal));
  }
  if (parser_->complete()) return deliver();
  if (in_.size() > kChunkHeaderBytes) {
    return refuse(bad_request("A chunk's header or the trailers are too large."));
  }
  if (end_seen_) return close();
  wait_readable();
}

void Connection::deliver() {
  stage_ = Stage::pending;
  deadline_ = SteadyTime::max();
  if (held_answer_) {
    http::Response answer = std::move(*held_answer_);
    held_answer_.reset();
    return begin_answer(std::move(answer), {});
  }
  body_.finish(request_);
  wait_readable();
  const auto exchange = std::make_shared<Exchange>(shared_from_this());
  try {
    shared_->handler.on_request(std::move(request_), http::Reply(exchange));
  } catch (const std::exception& error) {
    // A copy of the reply that somebody holds may still answer. Without one, Exchange answers 500.
    log_error("a request handler threw: {}", error.what());
  } catch (...) {
    log_error("a request handler threw an exception of unknown type");
  }
}

void Connection::set_deadline(SteadyTime deadline) {
  deadline_ = deadline;
  if (deadline_ < timer_at_) arm();
}

// Each byte that moves puts the deadline off, but never beyond what kLeastRate allows: a peer that sends or
// takes a byte now and then must not hold its connection for ever.
void Connection::set_progress_deadline(Seconds silence) {
  set_deadline(std::min(now() + silence, moving_since_ + silence + Seconds(moved_ / kLeastRate)));
}

void Connection::arm() {
  timer_at_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait(guarded([](Connection& self, error_code ec) {
    if (!ec && self.stage_ != Stage::closed) self.on_timer();
  }));
}

void Connection::on_timer() {
  timer_at_ = SteadyTime::max();
  if (deadline_ == SteadyTime::max()) return;
  if (now() < deadline_) return arm();
  deadline_ = SteadyTime::max();
  switch (stage_) {
    case Stage::head:
      if (in_.empty()) return close();
      return refuse(http::problem(408, "timeout", "The header did not arrive in time."));
    case Stage::body:
      return refuse(http::problem(408, "timeout", "The body did not arrive in time."));
    case Stage::writing:
    case Stage::lingering:
      return close();
    case Stage::streaming:
      return stream_is_read() ? void() : cut_off();
    case Stage::pending:
    case Stage::closed:
      return;
  }
}

}  // namespace drover::transport
