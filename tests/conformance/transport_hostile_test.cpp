#include <algorithm>
#include <random>

#include "conformance/hostile_corpus.hpp"
#include "conformance/transport_case.hpp"

namespace drover::transport {
namespace {

// Where to cut: in the middle, and around the ends of lines, where parsers keep their state.
std::set<std::size_t> cuts(std::string_view bytes) {
  std::set<std::size_t> at{bytes.size() / 4, bytes.size() / 2, bytes.size() - 1};
  for (std::size_t i = 0; i < bytes.size() && at.size() < 12; ++i) {
    if (bytes[i] == '\r' || bytes[i] == '\n') at.insert(i + 1);
  }
  at.erase(0);
  at.erase(bytes.size());
  return at;
}

std::string what_came(const Answer& answer, const RawClient& client) {
  if (answer.came()) return "answered " + std::to_string(answer.status);
  return client.timed_out() ? "no answer" : "closed without an answer";
}

// One row of the corpus: whole, byte by byte, and cut in two at several places.
class HostileCase final : public TransportCase {
 public:
  explicit HostileCase(Hostile hostile) : hostile_(std::move(hostile)) {}

 private:
  void check() override {
    serve();
    expect_refused("whole", [&](RawClient& client) { client.send(hostile_.bytes); });
    expect_refused("byte by byte", [&](RawClient& client) { client.send_bytewise(hostile_.bytes); });
    for (const std::size_t cut : cuts(hostile_.bytes)) {
      expect_refused("cut at " + std::to_string(cut), [&](RawClient& client) {
        client.send(std::string_view(hostile_.bytes).substr(0, cut));
        // So that the pieces are likely to be read one by one. Nothing rests on it: the answer is the same.
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        client.send(std::string_view(hostile_.bytes).substr(cut));
      });
    }
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(handler_.requests.load(), 0);
    EXPECT_EQ(ask(get("/")).status, 200);
  }

  template <class Send>
  void expect_refused(const std::string& how, Send send) {
    if (HasFailure()) return;
    RawClient client(port());
    send(client);
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer.came() && hostile_.allowed.contains(answer.status))
        << how << ": " << what_came(answer, client);
    if (status_ == 0) status_ = answer.status;
    EXPECT_EQ(answer.status, status_) << how;
    EXPECT_TRUE(client.at_end()) << how << ": the connection stays open";
  }

  const Hostile hostile_;
  int status_ = 0;  // of the first answer
};

[[maybe_unused]] const bool corpus_enlisted = [] {
  for (const Hostile& hostile : hostile_corpus()) {
    std::string name = "Hostile_" + hostile.name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; },
        '_');
    enlist(name, __FILE__, __LINE__, [hostile] { return new HostileCase(hostile); });
  }
  return true;
}();

CONFORMANCE(EveryRefusalIsAProblemAndSaysThatItCloses) {
  serve();
  for (const Hostile& hostile : hostile_corpus()) {
    SCOPED_TRACE(hostile.name);
    RawClient client(port());
    client.send(hostile.bytes);
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer.came());
    EXPECT_EQ(answer.field("connection"), "close");
    EXPECT_EQ(answer.field("content-type"), "application/problem+json");
  }
}

CONFORMANCE(DoesNotReachTheNextRequest) {
  serve();
  RawClient client(port());
  client.send(lengths("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") + get("/smuggled"));
  EXPECT_EQ(client.read_answer().status, 400);
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(handler_.requests.load(), 0);
}

CONFORMANCE(BodyOverTheLimitIsRefusedBeforeItComes) {
  serve();
  RawClient client(port());
  client.send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 400000000\r\n\r\n");
  const auto answer = client.read_answer();
  ASSERT_TRUE(answer.came());
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.field("connection"), "close");
}

CONFORMANCE(BodyOverTheLimitIsRefusedThoughTheClientSendsOn) {
  serve();
  RawClient client(port());
  client.send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
  client.send(std::string(8'000'000, 'x'));
  const auto answer = client.read_answer();
  ASSERT_TRUE(answer.came());
  EXPECT_EQ(answer.status, 413);
  EXPECT_TRUE(client.at_end());
}

CONFORMANCE(ChunkedBodyOverTheLimitIsRefusedAtItsChunk) {
  serve();
  RawClient client(port());
  client.send(
      "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678");
  EXPECT_EQ(client.read_answer().status, 413);
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(handler_.requests.load(), 0);
}

CONFORMANCE(AnEndlessHeaderIsCutOff) {
  serve();
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n");
  const std::string field = "X-Padding: " + std::string(1000, 'a') + "\r\n";
  const std::int64_t before = peak_kib();
  bool open = true;
  for (int i = 0; open && i < 200'000; ++i) open = client.send(field);  // 200 MB
  EXPECT_FALSE(open);
  EXPECT_LT(peak_kib() - before, 32 * 1024);
  EXPECT_EQ(ask(get("/")).status, 200);
}

CONFORMANCE(AnEndlessBodyCostsNoMemory) {
  serve();
  const std::string piece(100'000, 'x');
  const std::int64_t before = peak_kib();
  for (const std::string_view path : {"/small", "/none"}) {
    RawClient client(port());
    client.send("POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 400000000\r\n\r\n");
    bool open = true;
    for (int i = 0; open && i < 4'000; ++i) open = client.send(piece);
    EXPECT_FALSE(open) << path;
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer.came()) << path;
    EXPECT_EQ(answer.status, path == "/small" ? 413 : 404);
  }
  EXPECT_LT(peak_kib() - before, 32 * 1024);
  EXPECT_EQ(ask(get("/")).status, 200);
}

CONFORMANCE(TraceAndOptionsAreTheHandlers) {
  serve();
  for (const std::string method : {"TRACE", "OPTIONS", "PATCH", "DELETE", "PROPFIND"}) {
    const auto answer = ask(method + " /echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n\r\n");
    ASSERT_TRUE(answer.came()) << method;
    EXPECT_EQ(answer.body, method + " /echo\n");
    EXPECT_EQ(answer.head.find("secret"), std::string::npos);
  }
}

CONFORMANCE(BytesWithHighBitsAndTabsAreOrdinaryValues) {
  serve();
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\ta\xff\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    RawClient client(port());
    client.send(request.substr(0, cut));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // as above: the pieces are read one by one
    client.send(request.substr(cut));
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer.came()) << cut;
    EXPECT_EQ(answer.body, "POST /echo\nabc") << cut;
  }
}

// Seeded, so that a failure can be had again. Whatever is sent, the server answers or not, closes, and lives.
CONFORMANCE(EveryMutationOfARequestEndsInAClosedConnection) {
  serve();
  const std::string seeds[] = {
      get("/echo?a=%20b", "Accept: */*\r\nConnection: keep-alive\r\n"),
      post("/echo", "hello", "Expect: 100-continue\r\n"),
      chunked("4\r\nwiki\r\n5;x=y\r\npedia\r\n0\r\nA: b\r\n\r\n"),
      post("/spool", "0123456789") + chunked("1\r\na\r\n0\r\n\r\n") + get("/none"),
  };
  constexpr std::string_view kBytes = "\r\n\0\t :;,0159af-%/?\xff\x80xX";
  std::mt19937 random(20'260'101);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes = seeds[below(std::size(seeds))];
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
      const std::size_t at = below(bytes.size());
      const char byte = kBytes[below(kBytes.size())];
      switch (below(4)) {
        case 0:
          bytes[at] = byte;
          break;
        case 1:
          bytes.insert(at, 1 + below(3), byte);
          break;
        case 2:
          bytes.erase(at, 1 + below(3));
          break;
        default:
          bytes.insert(at, bytes.substr(below(bytes.size()), below(30)));
          break;
      }
    }
    RawClient client(port());
    const std::size_t cut = below(bytes.size());
    client.send(std::string_view(bytes).substr(0, cut));
    client.send(std::string_view(bytes).substr(cut));
    client.finish_sending();
    ASSERT_TRUE(client.read_to_end().has_value()) << testing::PrintToString(bytes);
  }
  EXPECT_EQ(ask(get("/")).status, 200);
  EXPECT_TRUE(eventually([&] { return files() == 0; }));
}

}  // namespace
}  // namespace drover::transport
