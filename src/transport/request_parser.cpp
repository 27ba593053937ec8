#include "request_parser.hpp"

#include <utility>  // before Asio 1.74, which misses it

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "drover/base/limits.hpp"
#include "drover/base/log.hpp"
#include "drover/base/text.hpp"
#include "drover/http/problem.hpp"

#include "body.hpp"
#include "request_rules.hpp"

namespace drover::transport {

namespace beast = boost::beast;
using beast::error_code;
using beast::string_view;
using http::Request;
using http::Response;

namespace {

std::string_view view(string_view text) {
  return {text.data(), text.size()};
}

// Beast calls any version but 1.0 and 1.1 bad; a well-formed other one is 505.
bool other_version(std::string_view block) {
  const std::string_view line = block.substr(0, block.find("\r\n"));
  const std::size_t blank = line.rfind(' ');
  if (blank == std::string_view::npos) return false;
  const std::string_view version = line.substr(blank + 1);
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return version.size() == 8 && version.substr(0, 5) == "HTTP/" && digit(version[5]) && version[6] == '.' &&
         digit(version[7]);
}

// Beast 1.74 asserts, and so ends the process, when it has seen the line of a last chunk and is called again
// with less than five bytes. What begins with '0' within a chunked body goes on for five bytes at least, so
// waiting costs nothing.
bool maybe_last_chunk(std::string_view rest) {
  return rest.size() < 5 && rest.front() == '0';
}

}  // namespace

class RequestParser::Impl final : public beast::http::basic_parser<true> {
 public:
  explicit Impl() {
    // HeadScanner limits the header, and limit_body() the body once the route is known. Beast's own limits
    // are as large as can be. With no limit at all this release would refuse every Content-Length as too
    // large.
    header_limit(UINT32_MAX);
    lift_body_limit();
  }

  // This release takes a chunk's size off its limit each time it looks at the chunk's header, so a header
  // that comes in pieces would count several times. So chunks_left is the limit, and Beast's is lifted before
  // every step.
  void lift_body_limit() { body_limit(UINT64_MAX); }

  std::string target;
  int version = 11;
  Request* request = nullptr;  // while the header is parsed; later fields are trailers, which are dropped
  Body* into = nullptr;
  std::uint64_t chunks_left = UINT64_MAX;  // bytes that chunks may still announce
  std::optional<Response> body_error;

 private:
  void on_request_impl(beast::http::verb, string_view method, string_view request_target, int request_version,
                       error_code&) override {
    request->method.assign(method.data(), method.size());
    target.assign(request_target.data(), request_target.size());
    version = request_version;
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(beast::http::field, string_view name, string_view value, error_code&) override {
    if (request != nullptr) request->headers.emplace_back(lower(view(name)), view(value));
  }
  void on_header_impl(error_code&) override { request = nullptr; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view data, error_code& ec) override { return take(data, ec); }
  void on_chunk_header_impl(std::uint64_t size, string_view, error_code& ec) override {
    if (size > chunks_left) {
      ec = beast::http::error::body_limit;
    } else {
      chunks_left -= size;
    }
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view data, error_code& ec) override {
    return take(data, ec);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t take(string_view data, error_code& ec) {
    const Status status = into->append(view(data));
    if (!status.ok()) {
      body_error = http::problem(status.error());
      ec = beast::http::error::body_limit;
    }
    return data.size();
  }
};

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;

std::optional<Response> RequestParser::head(std::string_view block, Request& request) {
  error_code ec;
  impl_->request = &request;
  impl_->put(boost::asio::const_buffer(block.data(), block.size()), ec);
  impl_->request = nullptr;
  if (ec == beast::http::error::bad_version && other_version(block)) {
    return version_not_supported();
  }
  if (ec || !impl_->is_header_done()) {
    return bad_request(fmt::format("The request is malformed: {}.", ec ? ec.message() : "incomplete header"));
  }
  if (impl_->target.size() > limits::kTargetBytes) return target_too_long();
  if (auto refusal = check_fields(request, impl_->version - 10, impl_->chunked())) return refusal;
  if (const Status status = http::parse_target(impl_->target, request); !status.ok()) {
    return http::problem(status.error());
  }
  impl_->eager(true);
  return std::nullopt;
}

std::size_t RequestParser::body(std::string_view data, Body& into, std::optional<Response>& refusal) {
  impl_->into = &into;
  std::size_t taken = 0;
  while (!impl_->is_done()) {
    const std::string_view rest = data.substr(taken);
    if (rest.empty() || (impl_->chunked() && maybe_last_chunk(rest))) break;
    error_code ec;
    impl_->lift_body_limit();
    const std::size_t step = impl_->put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
    taken += step;
    if (ec == beast::http::error::need_more) break;
    if (impl_->body_error) {
      refusal = std::move(impl_->body_error);
    } else if (ec == beast::http::error::body_limit) {
      refusal = http::problem(413, "too_large", "The body is larger than this path takes.");
    } else if (ec || step == 0) {
      refusal = bad_request(fmt::format("The body is malformed: {}.", ec.message()));
    }
    if (refusal) break;
  }
  impl_->into = nullptr;
  return taken;
}

void RequestParser::limit_body(std::int64_t bytes) {
  impl_->chunks_left = static_cast<std::uint64_t>(bytes);
}
bool RequestParser::complete() const {
  return impl_->is_done();
}
std::optional<std::uint64_t> RequestParser::content_length() const {
  const auto length = impl_->content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}
bool RequestParser::keep_alive() const {
  return impl_->keep_alive();
}
bool RequestParser::http10() const {
  return impl_->version == 10;
}

}  // namespace drover::transport
