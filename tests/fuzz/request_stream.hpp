#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/http/message.hpp"

#include "fuzz/property.hpp"
#include "transport/body.hpp"
#include "transport/head_scanner.hpp"
#include "transport/request_parser.hpp"

namespace drover::fuzz {

inline constexpr std::size_t kHeaderBytes = 1024;
inline constexpr std::int64_t kBodyBytes = 1024;
inline constexpr std::size_t kRequests = 8;  // of one connection

struct Parsed {
  http::Request request;
  bool keep_alive = false;
  bool http10 = false;
  std::size_t end = 0;  // where the next request begins
};
struct Outcome {
  std::vector<Parsed> requests;
  int refused = 0;  // the status of a refusal; 0: the bytes ended first
};

// From bytes to requests, in the same steps as a connection takes them.
class Stream {
 public:
  // `cut(i)` is the length of segment i, at least 1.
  template <class Cut>
  static Outcome read(std::string_view wire, Cut cut) {
    Stream stream;
    for (std::size_t at = 0, i = 0; at < wire.size() && stream.open(); ++i) {
      const std::size_t size = std::min(cut(i), wire.size() - at);
      stream.take(wire.substr(at, size));
      at += size;
    }
    return std::move(stream.outcome_);
  }

 private:
  Stream() { body_.to_memory(budget_); }
  [[nodiscard]] bool open() const { return outcome_.refused == 0 && outcome_.requests.size() < kRequests; }

  void take(std::string_view segment) {
    if (parser_ && held_.empty()) {
      const std::size_t fed = feed(segment);
      taken_ += fed;
      segment.remove_prefix(fed);
    }
    held_ += segment;
    while (open() && advance()) {
    }
  }

  // True when another request may stand in what is held.
  bool advance() {
    if (!parser_ && !read_head()) return false;
    if (!parser_->complete() && !held_.empty()) drop(feed(held_));
    if (outcome_.refused != 0 || !parser_->complete()) return false;
    parsed_.end = taken_;
    body_.finish(parsed_.request);
    outcome_.requests.push_back(std::move(parsed_));
    parsed_ = {};
    parser_.reset();
    scanner_ = transport::HeadScanner(kHeaderBytes);
    body_.to_memory(budget_);
    return true;
  }

  bool read_head() {
    using State = transport::HeadScanner::State;
    const State state = scanner_.scan(held_);
    if (state == State::more) return false;
    if (state != State::complete) return refuse(state == State::bad ? 400 : 431);
    parser_ = std::make_unique<transport::RequestParser>();
    const auto refusal = parser_->head(
        std::string_view(held_).substr(scanner_.begin(), scanner_.end() - scanner_.begin()), parsed_.request);
    if (refusal) return refuse(refusal->status);
    drop(scanner_.end());
    const auto length = parser_->content_length();
    if (length && *length > static_cast<std::uint64_t>(kBodyBytes)) return refuse(413);
    parser_->limit_body(kBodyBytes);
    parsed_.keep_alive = parser_->keep_alive();
    parsed_.http10 = parser_->http10();
    return true;
  }

  std::size_t feed(std::string_view bytes) {
    std::optional<http::Response> refusal;
    const std::size_t taken = parser_->body(bytes, body_, refusal);
    hold(taken <= bytes.size(), "more bytes were taken than given");
    if (refusal) refuse(refusal->status);
    return taken;
  }

  void drop(std::size_t count) {
    held_.erase(0, count);
    taken_ += count;
  }
  bool refuse(int status) {
    outcome_.refused = status;
    return false;
  }

  transport::BodyBudget budget_{1 << 20};
  transport::Body body_;
  transport::HeadScanner scanner_{kHeaderBytes};
  std::unique_ptr<transport::RequestParser> parser_;
  Parsed parsed_;
  std::string held_;
  std::size_t taken_ = 0;
  Outcome outcome_;
};

}  // namespace drover::fuzz
