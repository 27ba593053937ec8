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

#include "api/fake_engine.hpp"
#include "api/fake_store.hpp"
#include "fuzz/property.hpp"
#include "fuzz/request_stream.hpp"
#include "http/fake_reply.hpp"
#include "transport/head_scanner.hpp"
#include "transport/render.hpp"

using drover::fuzz::hold;
using drover::fuzz::Outcome;
using drover::fuzz::Parsed;
using drover::fuzz::Stream;
namespace http = drover::http;
namespace transport = drover::transport;

namespace {

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

// Keeps nothing.
class NoFiles final : public drover::ports::ArtifactStore {
 public:
  drover::Status check_marker(const drover::Uuid&) override { return drover::Ok{}; }
  [[nodiscard]] std::string spool_directory() const override {
    return std::filesystem::temp_directory_path().string();  // answers put together are removed once given
  }
  drover::Result<drover::Sha256> put(drover::JobNumber, int, std::string_view name,
                                     const std::string&) override {
    hold(name == drover::ports::kCheckpointName || drover::ports::check_artifact_name(name).ok(),
         "a name that leads out of its place");
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
    if (const auto* body = std::get_if<std::string>(&response.body)) check_body(response, *body);
  }
  // What says that it is JSON is; all else is text. A refusal is a problem, but for the path that has rules
  // of its own.
  static void check_body(const http::Response& response, const std::string& body) {
    const std::string type = http::header_of(response, "Content-Type");
    const bool json = type.starts_with("application/json") || type == "application/problem+json";
    hold(!json || drover::parse_json(body).ok(), "an answer that is no JSON:", body);
    hold(body.empty() || drover::storable_text(body), "an answer that is no text:", body);
    hold(response.status < 400 || json || type.starts_with("text/plain"), "a refusal of another type:", type);
  }
  // What the engine answers, and nothing heard yet: inputs must not depend on those before.
  [[nodiscard]] static drover::api::EngineScript script() {
    drover::api::EngineScript script;
    script.view.leading = true;
    script.view.store_reachable = true;
    script.apply = [](const drover::ports::Change& change) {
      using drover::ports::PutPool;
      if (const auto* put = std::get_if<PutPool>(&change)) {
        PutPool::Answer stored;
        stored.pool.spec = put->spec;
        return drover::ports::settled<PutPool>(stored);
      }
      return std::visit(
          []<class C>(const C&) { return drover::ports::settled<C>(drover::ports::AnswerOf<C>{}); }, change);
    };
    return script;
  }

  drover::api::FakeStore store_;
  NoFiles files_;
  drover::api::FakeMetrics metrics_;
  drover::api::FakeClock clock_;
  drover::api::FakeEngine engine_{store_.engine};
  drover::services::Services services_ = drover::services::make_services(
      {.engine = engine_, .reads = store_, .artifacts = files_, .clock = clock_});
  drover::api::Api api_{drover::api::ApiDeps{.services = services_,
                                             .metrics = metrics_,
                                             .spool_directory = files_.spool_directory(),
                                             .worker_program = [] { return std::string("#!/bin/bash\n"); },
                                             .hostname = "head",
                                             .port = [] { return std::uint16_t{8080}; },
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
