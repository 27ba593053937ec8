// Bytes of one connection. What they mean must not depend on how they were cut into segments, and every
// request that comes of them is answered once, by the real routes over a scripted engine, with a status that
// this program knows.
#include <algorithm>
#include <array>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <vector>

#include "drover/api/api.hpp"
#include "drover/base/json.hpp"
#include "drover/base/text.hpp"

#include "api/fake_store.hpp"
#include "fuzz/property.hpp"
#include "transport/body.hpp"
#include "transport/head_scanner.hpp"
#include "transport/render.hpp"
#include "transport/request_parser.hpp"

using drover::fuzz::hold;
namespace http = drover::http;
namespace transport = drover::transport;

namespace {

constexpr std::size_t kHeaderBytes = 1024;
constexpr std::int64_t kBodyBytes = 1024;
constexpr std::size_t kRequests = 8;  // of one connection

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

// ---- from bytes to requests, in the same steps as a connection takes them

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

void check_same(const Outcome& a, const Outcome& b) {
  hold(a.refused == b.refused, "the verdict depends on the cuts");
  hold(a.requests.size() == b.requests.size(), "the number of requests depends on the cuts");
  for (std::size_t i = 0; i < a.requests.size(); ++i) {
    const Parsed& x = a.requests[i];
    const Parsed& y = b.requests[i];
    hold(x.request.method == y.request.method && x.request.raw_path == y.request.raw_path &&
             x.request.path == y.request.path && x.request.query == y.request.query &&
             x.request.headers == y.request.headers,
         "a request's header depends on the cuts");
    hold(x.request.body == y.request.body, "a body depends on the cuts");
    hold(x.keep_alive == y.keep_alive && x.http10 == y.http10 && x.end == y.end,
         "framing depends on the cuts");
  }
}

bool clean(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

void check_request(const http::Request& request) {
  hold(!request.method.empty() && clean(request.method), "a method that is none");
  hold(request.path.starts_with('/') || (request.path == "*" && request.method == "OPTIONS"),
       "a path that is none");
  hold(drover::storable_text(request.path), "a path that cannot be stored");
  for (const auto& [name, value] : request.query) {
    hold(drover::storable_text(name) && drover::storable_text(value), "a parameter that cannot be stored");
  }
  for (const auto& [name, value] : request.headers) {
    hold(!name.empty() && name == drover::lower(name) && clean(name) && clean(value), "a field that is none");
  }
}

// ---- from requests to answers

// Keeps nothing, and refuses the names that a store has to refuse.
class NoFiles final : public drover::ports::ArtifactStore {
 public:
  drover::Status check_marker(const drover::Uuid&) override { return drover::Ok{}; }
  [[nodiscard]] std::string spool_directory() const override {
    return std::filesystem::temp_directory_path().string();  // answers put together are removed once given
  }
  drover::Result<drover::Sha256> put(drover::JobNumber, int, std::string_view name,
                                     const std::string&) override {
    if (!plain(name)) return drover::invalid("name", "not a plain file name");
    return drover::sha256(name);
  }
  drover::Result<drover::ports::StoredFile> get(drover::JobNumber, int, std::string_view) override {
    return drover::Error{drover::Errc::not_found, "no such file"};
  }
  drover::Result<std::int64_t> append_log(drover::JobNumber, int, std::string_view stream,
                                          std::int64_t offset, std::string_view data) override {
    if (!plain(stream)) return drover::invalid("stream", "not a plain file name");
    return offset + static_cast<std::int64_t>(data.size());
  }
  drover::Result<drover::ports::StoredFile> log(drover::JobNumber job, int attempt,
                                                std::string_view stream) override {
    return get(job, attempt, stream);
  }

 private:
  static bool plain(std::string_view name) {
    return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
  }
};

class OneAnswer final : public http::Reply::Sink {
 public:
  void send(http::Response response, std::function<void(bool)> done) override {
    const std::lock_guard lock(mutex_);
    hold(!answer_, "a request is answered twice");
    answer_ = std::move(response);
    if (done) done(true);
    came_.notify_one();
  }
  [[nodiscard]] bool open() const override { return true; }
  http::Response wait() {
    std::unique_lock lock(mutex_);
    hold(came_.wait_for(lock, drover::Seconds{10}, [this] { return answer_.has_value(); }), "no answer");
    return *answer_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::optional<http::Response> answer_;
};

// The daemon's routes, with a job, a worker and a pool to be asked for.
class Server {
 public:
  Server() {
    store_.engine = script();
    drover::ports::JobRow& job = store_.job_rows[1];
    job.number = drover::JobNumber{1};
    job.created = clock_.now;
    job.id = drover::make_job_id(job.number, job.created, 7);
    job.spec.task = R"({"command":"true"})";
    store_.worker_rows.emplace_back().instance_id = "i-1";
    store_.pool_rows.emplace_back().spec.name = "default";
    api_.add_routes(router_);
  }

  void check(const http::Request& request) {
    auto verdict = router_.on_head(request);
    if (auto* refusal = std::get_if<http::Response>(&verdict)) return check_answer(*refusal);
    http::Request copy = request;
    if (std::get<http::BodyPolicy>(verdict).spool) {
      copy.spooled = std::make_shared<http::SpooledFile>("/nonexistent/spooled", copy.body.size());
      copy.body.clear();
    }
    const auto answer = std::make_shared<OneAnswer>();
    router_.on_request(std::move(copy), http::Reply(answer));
    check_answer(answer->wait());
    store_.engine = script();
  }

 private:
  static void check_answer(const http::Response& response) {
    const int status = response.status;
    hold(!http::reason_phrase(status).empty(), "a status that is not known:", std::to_string(status));
    hold(status != 500, "a request breaks something inside");
    for (const auto& [name, value] : response.headers)
      hold(clean(name) && clean(value), "a field is cut:", name);
    const std::string head = transport::render_head(response, {}, "drover", drover::WallTime{});
    transport::HeadScanner scanner(1 << 20);
    hold(scanner.scan(head) == transport::HeadScanner::State::complete && scanner.end() == head.size(),
         "an answer's header is more or less than one");
    const auto* body = std::get_if<std::string>(&response.body);
    hold(status < 400 || (body != nullptr && drover::parse_json(*body).ok()), "a problem that is no JSON");
  }
  // What the engine answers, and nothing heard yet: inputs must not depend on those before.
  [[nodiscard]] static drover::api::EngineScript script() {
    drover::api::EngineScript script;
    script.view.leading = true;
    script.view.store_reachable = true;
    script.apply = [](const drover::ports::Command& command) -> drover::Result<drover::ports::Applied> {
      if (std::holds_alternative<drover::ports::ChangeWorker>(command)) {
        return drover::ports::Applied(drover::ports::WorkerChanged{});
      }
      if (const auto* put = std::get_if<drover::ports::PutPool>(&command)) {
        drover::ports::PoolPut stored;
        stored.pool.spec = put->spec;
        return drover::ports::Applied(stored);
      }
      return drover::ports::Applied(drover::Ok{});
    };
    return script;
  }

  drover::api::FakeStore store_;
  NoFiles files_;
  drover::api::FakeMetrics metrics_;
  drover::api::FakeClock clock_;
  drover::engine::Engine engine_{store_, clock_, metrics_, {}};
  drover::api::Api api_{drover::api::ApiDeps{.engine = engine_,
                                             .store = store_,
                                             .artifacts = files_,
                                             .metrics = metrics_,
                                             .clock = clock_,
                                             .worker_program = [] { return std::string("#!/bin/bash\n"); },
                                             .fleet_notes = {},
                                             .hostname = "head",
                                             .port = 8080,
                                             .version = "1.2.3",
                                             .read_threads = 1}};
  http::Router router_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  if (size == 0) return 0;
  const std::string_view wire = drover::fuzz::text_of(data, size);
  const Outcome whole = Stream::read(wire, [&](std::size_t) { return wire.size(); });
  check_same(whole, Stream::read(wire, [](std::size_t) { return std::size_t{1}; }));
  // The input's own bytes say where else it is cut.
  check_same(whole,
             Stream::read(wire, [&](std::size_t i) { return std::size_t{1} + data[i * 7 % size] % 24; }));
  for (const Parsed& parsed : whole.requests) {
    check_request(parsed.request);
    server.check(parsed.request);
  }
  return 0;
}
