#include "cpprest_request.hpp"

#include <algorithm>
#include <stdexcept>

#include <cpprest/containerstream.h>
#include <cpprest/filestream.h>
#include <sys/stat.h>

#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"
#include "drover/http/problem.hpp"

#include "render.hpp"
#include "request_rules.hpp"

namespace drover::transport {

namespace {

namespace streams = concurrency::streams;

std::int64_t body_length(const http::Response& response) {
  if (const auto* text = std::get_if<std::string>(&response.body))
    return static_cast<std::int64_t>(text->size());
  return std::get<http::FileBody>(response.body).length;
}

bool usable(const http::FileBody& body) {
  struct stat facts {};
  return ::stat(body.path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) && body.offset >= 0 &&
         body.length >= 0 && body.offset <= facts.st_size && body.length <= facts.st_size - body.offset;
}

web::http::http_response with_body(web::http::http_response response, const streams::istream& stream,
                                   std::int64_t length) {
  const std::string type = response.headers()["Content-Type"];
  response.set_body(stream, static_cast<utility::size64_t>(length));  // overwrites the type
  response.headers()["Content-Type"] = type;
  if (type.empty()) response.headers().remove("Content-Type");
  return response;
}

// Streams are refused: the library does not tell that a peer has gone, and waits without limit for one that
// does not read, so it cannot do what http::Stream promises.
http::Response no_streams() {
  return http::problem(
      501, "not_implemented",
      "This answer is a stream, which this server's transport, cpprestsdk, cannot send. Streams need "
      "the Beast transport: server.transport = \"beast\".");
}

http::Response could_not_be_sent() {
  return http::problem(500, "internal", "The answer could not be sent.");
}

}  // namespace

CpprestRequest::CpprestRequest(std::shared_ptr<CpprestState> state, const web::http::http_request& message,
                               bool counted)
    : state_(std::move(state)), message_(message), inside_(counted) {}

CpprestRequest::~CpprestRequest() {
  if (inside_.exchange(false)) state_->leave();
}

bool CpprestRequest::peer_open() const {
  return !answered_.load() && !state_->over();
}

void CpprestRequest::turn_away() {
  refuse(http::problem(unavailable("The server is stopping.", 1)));
}

void CpprestRequest::begin() {
  if (auto refusal = read_head()) return refuse(std::move(*refusal));
  std::variant<http::BodyPolicy, http::Response> verdict;
  try {
    const bool asked =
        state_->with_handler([&](http::Handler& handler) { verdict = handler.on_head(request_); });
    if (!asked) return turn_away();
  } catch (const std::exception& error) {
    log_error("a handler threw at a header: {}", error.what());
    return refuse(http::problem(500, "internal", "Something went wrong inside the server."));
  }
  if (http::Response* refusal = std::get_if<http::Response>(&verdict))
    return refuse_unread(std::move(*refusal));
  on_policy(std::get<http::BodyPolicy>(verdict));
}

// The library has taken the header apart and checks next to nothing; what it lets through is judged by the
// rules of the other transport. A repeated field arrives here as one, joined by commas.
std::optional<http::Response> CpprestRequest::read_head() {
  request_.method = message_.method();
  request_.peer = message_.remote_address();
  const std::string target = message_.request_uri().to_string();
  std::size_t bytes = target.size();
  for (const auto& [name, value] : message_.headers()) {
    if (!is_sound_field(name, value)) return bad_request("A field of the header is malformed.");
    bytes += name.size() + value.size() + 4;
    request_.headers.emplace_back(lower(name), value);
  }
  const auto version = message_.http_version();
  if (version.major == 0 && version.minor == 0) return bad_request("The request line is malformed.");
  if (version.major != 1 || version.minor > 1) return version_not_supported();
  http10_ = version.minor == 0;
  if (target.size() > limits::kTargetBytes) return target_too_long();
  if (bytes > state_->options.max_header_bytes) return header_too_large(state_->options.max_header_bytes);
  const std::string connection = lower(request_.header("connection"));
  keep_alive_ = http10_ ? connection == "keep-alive" : connection.find("close") == std::string::npos;
  chunked_ = !request_.header("transfer-encoding").empty();
  if (const std::string_view length = request_.header("content-length"); !length.empty()) {
    const auto digits = [](char c) { return c >= '0' && c <= '9'; };
    if (!std::all_of(length.begin(), length.end(), digits))
      return bad_request("Content-Length is malformed.");
    length_ = parse_int(length).value_or(std::numeric_limits<std::int64_t>::max());
  }
  if (auto refusal = check_fields(request_, version.minor, chunked_)) return refusal;
  if (const Status status = http::parse_target(target, request_); !status.ok())
    return http::problem(status.error());
  return std::nullopt;
}

void CpprestRequest::on_policy(const http::BodyPolicy& policy) {
  if (length_ > policy.max_bytes) return refuse_unread(body_too_large(policy.max_bytes));
  limit_ = policy.max_bytes;
  if (policy.spool) {
    const Status status = body_.to_file(state_->options.spool_directory);
    if (!status.ok()) return refuse_unread(http::problem(status.error()));
  } else {
    body_.to_memory(state_->budget);
  }
  if (length_ == 0 && !chunked_) return deliver();
  read_body();
}

// Answers and ends the connection. The library sends no answer before it has read the whole body; an
// exception in the buffer that it writes to makes it stop at the next piece that arrives.
void CpprestRequest::refuse(http::Response response) {
  body_.reset();
  response.close = true;
  if (length_ > 0 || chunked_) {
    const auto cause = std::make_exception_ptr(std::runtime_error("the body was refused"));
    message_.body().streambuf().close(std::ios_base::out, cause);
  }
  answer(std::move(response), {});
}

// Refuses a request after its header. A small body is read and dropped, so that the connection can go on; a
// large one ends the connection.
void CpprestRequest::refuse_unread(http::Response response) {
  body_.reset();
  if (!chunked_ && length_ <= kReadAwayBytes) return answer(std::move(response), {});
  refuse(std::move(response));
}

void CpprestRequest::read_body() {
  // A read completes only when all bytes that it asks for are there. So it asks for one, and on_piece() takes
  // what has arrived with it.
  message_.body()
      .streambuf()
      .getn(piece_.data(), 1)
      .then([self = shared_from_this()](const pplx::task<std::size_t>& read) {
        try {
          self->on_piece(read.get());
        } catch (const std::exception& error) {
          // The peer has gone in the middle of its body. The library frees the request only when it is
          // answered.
          log_debug("a body from {} broke off: {}", self->request_.peer, error.what());
          self->refuse(bad_request("The body ends too early."));
        }
      });
}

void CpprestRequest::on_piece(std::size_t bytes) {
  if (bytes == 0) return deliver();
  auto buffer = message_.body().streambuf();
  const std::size_t more = std::min(buffer.in_avail(), piece_.size() - bytes);
  if (more > 0) bytes += buffer.getn(piece_.data() + bytes, more).get();  // they are there: no waiting
  taken_ += static_cast<std::int64_t>(bytes);
  if (taken_ > limit_) return refuse(body_too_large(limit_));
  const Status status = body_.append({reinterpret_cast<const char*>(piece_.data()), bytes});
  if (!status.ok()) return refuse(http::problem(status.error()));
  read_body();
}

void CpprestRequest::deliver() {
  body_.finish(request_);
  const auto exchange = std::make_shared<Exchange>(shared_from_this());
  try {
    state_->with_handler(
        [&](http::Handler& handler) { handler.on_request(std::move(request_), http::Reply(exchange)); });
  } catch (const std::exception& error) {
    // A copy of the reply that somebody holds may still answer. Without one, Exchange answers 500.
    log_error("a request handler threw: {}", error.what());
  } catch (...) {
    log_error("a request handler threw an exception of unknown type");
  }
}

web::http::http_response CpprestRequest::to_library(const http::Response& response, bool close) const {
  web::http::http_response out(static_cast<web::http::status_code>(response.status));
  out.set_reason_phrase(std::string(http::reason_phrase(response.status)));
  fields_to_send(
      response, state_->options.server_name, SystemClock{}.wall(),
      [&out](const std::string& name, const std::string& value) { out.headers().add(name, value); });
  if (close) {
    out.headers().add("Connection", "close");
  } else if (http10_) {
    out.headers().add("Connection", "keep-alive");
  }
  return out;
}

void CpprestRequest::answer(http::Response response, std::function<void(bool)> done) {
  answered_.store(true);
  done = [state = state_, ticket = state_->expect(std::move(done))](bool delivered) {
    state->settle(ticket, delivered);
  };
  if (state_->over()) return finish(done, false);
  if (std::holds_alternative<http::StreamBody>(response.body)) {
    response = instead_of_stream(response, no_streams());
    done = [done = std::move(done)](bool) { done(false); };  // the stream itself was not sent
  }
  const bool known = response.status >= 200 && response.status <= 599 && !response.abandon;
  const auto* file = std::get_if<http::FileBody>(&response.body);
  if (!known || (file != nullptr && !usable(*file))) {
    // The library cannot close a connection without an answer, so an abandoned request is answered 500 here.
    if (!response.abandon) log_error("an answer of status {} cannot be sent", response.status);
    const bool close = response.close || response.abandon;
    response = could_not_be_sent();
    response.close = close;
    file = nullptr;
  }
  const std::int64_t length = body_length(response);
  const bool empty = length == 0 || !has_body(response.status);
  // For HEAD the library must announce a length and send no body. It does so only if the body ends too early,
  // and closes the connection then.
  const bool head_only = message_.method() == "HEAD" && !empty;
  web::http::http_response out = to_library(response, response.close || !keep_alive_ || head_only);
  if (empty) return send(out, std::move(done), true);
  if (head_only)
    return send(with_body(out, streams::bytestream::open_istream(std::string()), length), std::move(done),
                false);
  if (file == nullptr) {
    auto stream = streams::bytestream::open_istream(std::move(std::get<std::string>(response.body)));
    return send(with_body(out, stream, length), std::move(done), true);
  }
  streams::file_stream<std::uint8_t>::open_istream(file->path)
      .then([self = shared_from_this(), out, length, done = std::move(done),
             offset = file->offset](const pplx::task<streams::istream>& opened) mutable {
        try {
          const streams::istream stream = opened.get();
          stream.seek(static_cast<streams::istream::off_type>(offset), std::ios_base::beg);
          self->send(with_body(out, stream, length), std::move(done), true);
        } catch (const std::exception& error) {
          log_error("a file cannot be sent: {}", error.what());
          self->send(self->to_library(could_not_be_sent(), true), std::move(done), true);
        }
      });
}

// `whole`: the answer counts as delivered only if the library reports success. For HEAD it never does.
void CpprestRequest::send(const web::http::http_response& response, std::function<void(bool)> done,
                          bool whole) {
  const streams::istream body = response.body();
  // The file is closed here. Otherwise the destructor of its last holder would close it, and a thread of the
  // library's pool would wait there for a task of the same pool.
  const auto end = [self = shared_from_this(), body, done = std::move(done)](bool delivered) {
    const pplx::task<void> closed = body.is_valid() ? body.close() : pplx::task_from_result();
    closed.then([self, done, delivered](const pplx::task<void>& task) {
      try {
        task.get();
      } catch (const std::exception& error) {
        log_error("a body could not be closed: {}", error.what());
      }
      self->finish(done, delivered);
    });
  };
  try {
    message_.reply(response).then([end, whole](const pplx::task<void>& sent) {
      bool delivered = true;
      try {
        sent.get();
      } catch (const std::exception&) {
        delivered = !whole;
      }
      end(delivered);
    });
  } catch (const std::exception&) {  // the library gave its own answer: the connection has gone
    end(false);
  }
}

void CpprestRequest::finish(const std::function<void(bool)>& done, bool delivered) {
  done(delivered);
  if (inside_.exchange(false)) state_->leave();
}

}  // namespace drover::transport
