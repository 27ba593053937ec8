// drover_load: the load generator of bench/run.py. Each connection is one thread with one kept HTTP/1.1
// connection.
//   drover_load submit --port P --connections C --batch B --seconds S     POST /jobs
//   drover_load cycle  --port P --workers FILE --connections C --slots N --jobs J   claim and finish J jobs
//   drover_load null   --port P                                            a server that does nothing, until
//   killed
// Each but the last prints one JSON object: requests, jobs, seconds, p50_ms, p99_ms of a request.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drover/base/json.hpp"
#include "drover/base/text.hpp"
#include "drover/transport/server.hpp"

namespace {

using namespace drover;
using Steady = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "drover_load: {}\n", why);
  std::exit(1);
}

// A kept connection; any trouble ends the program, since a figure with failures in it is no figure.
class Connection {
 public:
  explicit Connection(int port) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("cannot connect");
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  std::pair<int, std::string> post(const std::string& path, const std::string& headers,
                                   const std::string& body) {
    const std::string request = fmt::format(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        "{}\r\n{}\r\n{}",
        path, body.size(), headers, body);
    for (std::size_t sent = 0; sent < request.size();) {
      const ssize_t n = send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) fail("the connection broke while sending");
      sent += static_cast<std::size_t>(n);
    }
    std::size_t head = std::string::npos;
    while ((head = buffer_.find("\r\n\r\n")) == std::string::npos) receive();
    const std::string header = lower(buffer_.substr(0, head));
    const std::size_t at = header.find("content-length: ");
    if (at == std::string::npos) fail("an answer without Content-Length");
    const std::size_t end = header.find('\r', at);
    const auto length =
        parse_int(std::string_view(header).substr(at + 16, end == std::string::npos ? end : end - at - 16));
    const auto total = head + 4 + static_cast<std::size_t>(length.value_or(0));
    while (buffer_.size() < total) receive();
    std::string reply = buffer_.substr(head + 4, total - head - 4);
    buffer_.erase(0, total);
    return {std::atoi(header.c_str() + 9), std::move(reply)};
  }

 private:
  void receive() {
    char piece[65536];
    const ssize_t n = recv(fd_, piece, sizeof piece, 0);
    if (n <= 0) fail("the connection broke while receiving");
    buffer_.append(piece, static_cast<std::size_t>(n));
  }
  int fd_;
  std::string buffer_;
};

struct Tally {
  std::int64_t requests = 0;
  std::int64_t jobs = 0;
  std::vector<double> ms;
};

void report(const std::vector<Tally>& tallies, double seconds) {
  Tally all;
  for (const Tally& one : tallies) {
    all.requests += one.requests;
    all.jobs += one.jobs;
    all.ms.insert(all.ms.end(), one.ms.begin(), one.ms.end());
  }
  std::sort(all.ms.begin(), all.ms.end());
  const auto quantile = [&](double q) {
    return all.ms.empty() ? 0.0
                          : all.ms[static_cast<std::size_t>(q * static_cast<double>(all.ms.size() - 1))];
  };
  fmt::print("{{\"requests\":{},\"jobs\":{},\"seconds\":{:.4f},\"p50_ms\":{:.3f},\"p99_ms\":{:.3f}}}\n",
             all.requests, all.jobs, seconds, quantile(0.5), quantile(0.99));
}

template <class Body>
void run_threads(int connections, Body body) {
  std::vector<Tally> tallies(static_cast<std::size_t>(connections));
  std::vector<std::thread> threads;
  const auto start = Steady::now();
  for (int i = 0; i < connections; ++i) {
    threads.emplace_back([&, i] { body(i, tallies[static_cast<std::size_t>(i)]); });
  }
  for (std::thread& thread : threads) thread.join();
  report(tallies, std::chrono::duration<double>(Steady::now() - start).count());
}

template <class Call>
auto timed(Tally& tally, Call call) {
  const auto start = Steady::now();
  auto answer = call();
  tally.ms.push_back(std::chrono::duration<double, std::milli>(Steady::now() - start).count());
  ++tally.requests;
  return answer;
}

void submit(int port, int connections, int batch, double seconds) {
  const std::string job = R"({"queue":"bench","name":"bench","task":{"command":"true"}})";
  std::string body = job;
  if (batch > 1) {
    body = "[" + job;
    for (int i = 1; i < batch; ++i) body += "," + job;
    body += "]";
  }
  const auto until = Steady::now() + std::chrono::duration<double>(seconds);
  run_threads(connections, [&](int, Tally& tally) {
    Connection connection(port);
    while (Steady::now() < until) {
      const auto [status, reply] = timed(tally, [&] { return connection.post("/jobs", "", body); });
      if (status != 201) fail(fmt::format("submit answered {}: {}", status, reply));
      tally.jobs += batch;
    }
  });
}

struct WorkerLogin {
  std::string id;
  std::string token;
};

void cycle(int port, const std::string& file, int connections, int slots, std::int64_t jobs) {
  std::vector<WorkerLogin> workers;
  std::ifstream in(file);
  for (WorkerLogin one; in >> one.id >> one.token;) workers.push_back(one);
  if (static_cast<int>(workers.size()) < connections) fail("fewer workers than connections");
  std::atomic<std::int64_t> left{jobs};
  const auto nonce_base = Steady::now().time_since_epoch().count();
  run_threads(connections, [&](int index, Tally& tally) {
    Connection connection(port);
    const WorkerLogin& worker = workers[static_cast<std::size_t>(index)];
    const std::string bearer = "Authorization: Bearer " + worker.token + "\r\n";
    for (std::int64_t round = 0; left.load() > 0; ++round) {
      const std::string claim =
          fmt::format(R"({{"nonce":"{}-{}-{}","slots":{},"wait_s":0}})", nonce_base, index, round, slots);
      const auto [status, reply] =
          timed(tally, [&] { return connection.post("/workers/" + worker.id + "/claim", bearer, claim); });
      if (status != 200) fail(fmt::format("claim answered {}: {}", status, reply));
      const auto answer = parse_json(reply);
      if (!answer.ok() || answer->find("jobs") == nullptr) fail("a claim's answer is not what it should be");
      for (const Json& job : *answer->find("jobs")->if_array()) {
        const std::string path = fmt::format("/jobs/{}/attempts/{}/finish", *job.find("number")->if_int(),
                                             *job.find("attempt")->if_int());
        const std::string token = "X-Drover-Attempt-Token: " + *job.find("token")->if_string() + "\r\n";
        const auto finished = timed(tally, [&] {
          return connection.post(path, bearer + token, R"({"outcome":"succeeded","exit_code":0})");
        });
        if (finished.first != 200)
          fail(fmt::format("finish answered {}: {}", finished.first, finished.second));
        ++tally.jobs;
        --left;
      }
    }
  });
}

// Answers what a submit answers, without doing anything: the cost of HTTP alone.
class NullHandler final : public http::Handler {
 public:
  std::variant<http::BodyPolicy, http::Response> on_head(const http::Request&) override {
    return http::BodyPolicy{static_cast<std::int64_t>(limits::kBodyBytes), false};
  }
  void on_request(http::Request, http::Reply reply) override {
    reply.send(http::Response::json(
        201, R"({"id":"00000000-0000-7000-8000-000000000001","number":1,"state":"queued"})"));
  }
};

void null_server(int port) {
  NullHandler handler;
  transport::ServerOptions options;
  options.port = static_cast<std::uint16_t>(port);
  auto server = transport::make_beast_server(options, handler);
  if (const Status started = server->start(); !started.ok()) fail(started.error().message);
  fmt::print("{}\n", server->port());
  std::fflush(stdout);
  pause();
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 2; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  const auto number = [&](const char* name) {
    const auto value = parse_int(options[name]);
    if (!value) fail(fmt::format("{} takes a number", name));
    return static_cast<int>(*value);
  };
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "submit") {
    submit(number("--port"), number("--connections"), number("--batch"), number("--seconds"));
  } else if (verb == "cycle") {
    cycle(number("--port"), options["--workers"], number("--connections"), number("--slots"),
          number("--jobs"));
  } else if (verb == "null") {
    null_server(number("--port"));
  } else {
    fail("say submit, cycle or null; see the head of bench/load.cpp");
  }
  return 0;
}
