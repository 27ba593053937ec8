// Answers whose body is a stream. cpprestsdk answers them 501, which is all that the first case asks of it.
#include <array>
#include <future>

#include "conformance/transport_case.hpp"

namespace drover::transport {
namespace {

CONFORMANCE(StreamsOrSaysWhichTransportDoes) {
  serve();
  RawClient client(port());
  client.send(get("/stream"));
  if (kind() == TransportKind::beast) {
    EXPECT_EQ(client.read_answer(true).status, 200);
    return;
  }
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 501);
  EXPECT_EQ(answer.field("content-type"), "application/problem+json");
  EXPECT_NE(answer.body.find("Beast"), std::string::npos) << answer.body;
  EXPECT_TRUE(eventually([&] { return handler_.lost.load() == 1; }));
  EXPECT_EQ(handler_.streams(), 0U);
  client.send(get("/"));
  EXPECT_EQ(client.read_answer().body, "ok");
}

CONFORMANCE(FramesAStreamInChunksAndKeepsTheConnection) {
  handler_.custom = [](const http::Request&) {
    http::Response response;
    response.headers = {
        {"Content-Type", "text/plain"}, {"Content-Length", "7"}, {"Transfer-Encoding", "gzip"}};
    response.body = http::StreamBody{[](const http::Stream& stream) {
      stream.send("at once");
      stream.end();
    }};
    return response;
  };
  serve();
  RawClient client(port());
  for (int i = 0; i < 2; ++i) {
    client.send(get("/custom"));
    const Answer head = client.read_answer(true);
    ASSERT_EQ(head.status, 200);
    EXPECT_EQ(head.field("transfer-encoding"), "chunked");
    EXPECT_FALSE(head.has("content-length"));
    EXPECT_FALSE(head.has("connection"));
    EXPECT_EQ(client.read_exactly(17), "7\r\nat once\r\n0\r\n\r\n");
  }
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  EXPECT_TRUE(stream->open());
  EXPECT_TRUE(stream->send("0123456789abcdef"));
  EXPECT_EQ(client.read_exactly(22), "10\r\n0123456789abcdef\r\n");
  EXPECT_TRUE(stream->send(""));  // nothing: an empty chunk would end the body
  EXPECT_TRUE(stream->send("\r\n"));
  EXPECT_EQ(client.read_exactly(7), "2\r\n\r\n\r\n");
  EXPECT_EQ(handler_.delivered.load(), 2);
  stream->end();
  EXPECT_FALSE(stream->open());
  EXPECT_FALSE(stream->send("behind the end"));
  EXPECT_EQ(client.read_exactly(5), "0\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return handler_.delivered.load() == 3; }));
  client.send(get("/"));
  EXPECT_EQ(client.read_answer().body, "ok");
}

CONFORMANCE(EndsAStreamWithItsConnectionOnHttp10) {
  serve();
  for (const std::string& fields : {std::string(), std::string("Connection: keep-alive\r\n")}) {
    RawClient client(port());
    client.send("GET /stream HTTP/1.0\r\n" + fields + "\r\n");
    const Answer head = client.read_answer(true);
    ASSERT_EQ(head.status, 200);
    EXPECT_FALSE(head.has("transfer-encoding"));
    EXPECT_FALSE(head.has("content-length"));
    EXPECT_EQ(head.field("connection"), "close");
    const http::Stream stream = handler_.next_stream();
    EXPECT_TRUE(stream.send("plain "));
    EXPECT_EQ(client.read_exactly(6), "plain ");
    EXPECT_TRUE(stream.send("bytes"));
    stream.end();
    EXPECT_EQ(client.read_to_end(), "bytes");
    EXPECT_FALSE(client.was_reset());
  }
  EXPECT_TRUE(eventually([&] { return handler_.delivered.load() == 2; }));
}

CONFORMANCE(EndsAStreamWithItsConnectionWhenTheClientWants) {
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client, get("/stream", "Connection: close\r\n"));
  ASSERT_TRUE(stream);
  stream->send("all");
  stream->end();
  EXPECT_EQ(client.read_to_end(), "3\r\nall\r\n0\r\n\r\n");
}

CONFORMANCE(SendsTheHeadAloneOfAStreamForHead) {
  serve();
  RawClient client(port());
  client.send("HEAD /stream HTTP/1.1\r\nHost: test\r\n\r\n");
  const Answer head = client.read_answer(true);
  ASSERT_EQ(head.status, 200);
  EXPECT_EQ(head.field("transfer-encoding"), "chunked");
  EXPECT_TRUE(eventually([&] { return handler_.delivered.load() == 1; }));
  EXPECT_EQ(handler_.streams(), 0U);
  client.send(get("/"));
  EXPECT_EQ(client.read_answer().body, "ok");
  RawClient old(port());
  old.send("HEAD /stream HTTP/1.0\r\n\r\n");
  EXPECT_FALSE(old.read_answer(true).has("transfer-encoding"));
  EXPECT_TRUE(old.at_end());
  EXPECT_EQ(handler_.streams(), 0U);
}

CONFORMANCE(SendsNoStreamWhereNoBodyCanBe) {
  std::atomic<int> begun{0};
  handler_.custom = [&](const http::Request& request) {
    http::Response response;
    response.status = request.query_value("odd") ? 99 : 304;
    response.body = http::StreamBody{[&](const http::Stream&) { begun.fetch_add(1); }};
    return response;
  };
  serve();
  RawClient client(port());
  client.send(get("/custom"));
  const Answer answer = client.read_answer(true);
  EXPECT_EQ(answer.status, 304);
  EXPECT_FALSE(answer.has("transfer-encoding"));
  client.send(get("/custom?odd=1"));
  EXPECT_EQ(client.read_answer().status, 500);
  EXPECT_EQ(begun.load(), 0);
}

CONFORMANCE(TakesPiecesFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kPieces = 500;
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&stream, i] {
      for (int piece = 0; piece < kPieces; ++piece)
        EXPECT_TRUE(stream->send(std::to_string(i) + ":" + std::to_string(piece) + "\n"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  stream->end();
  const std::optional<std::string> all = client.read_chunks();
  ASSERT_TRUE(all);
  std::array<int, kThreads> next{};
  for (std::size_t at = 0; at < all->size(); at = all->find('\n', at) + 1) {
    const auto from = static_cast<std::size_t>(all->at(at) - '0');
    EXPECT_EQ(std::stoi(all->substr(at + 2)), next.at(from)++);
  }
  EXPECT_EQ(next, (std::array<int, kThreads>{kPieces, kPieces, kPieces, kPieces}));
}

// Sends one piece whenever the last one has gone, as a producer does that reads a file.
struct Pump : std::enable_shared_from_this<Pump> {
  Pump(http::Stream to, int many) : stream(std::move(to)), left(many) {}
  void run() {
    const std::size_t queued = stream.queued();
    if (queued > most.load()) most.store(queued);
    if (left-- == 0) return stream.end();
    if (!stream.send(std::string(limits::kStreamPieceBytes, static_cast<char>('a' + left % 26)))) return;
    stream.when_drained([self = shared_from_this()] { self->run(); });
  }
  http::Stream stream;
  int left;
  std::atomic<std::size_t> most{0};  // queued when a piece was asked for
};

CONFORMANCE(AsksForMoreOnceAllIsTaken) {
  constexpr int kPieces = 2000;
  serve();
  RawClient client(port());
  std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  const auto pump = std::make_shared<Pump>(std::move(*stream), kPieces);
  pump->run();
  const std::optional<std::string> all = client.read_chunks();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), kPieces * limits::kStreamPieceBytes);
  bool same = true;
  for (int piece = 0; piece < kPieces; ++piece) {
    const auto at = static_cast<std::size_t>(piece) * limits::kStreamPieceBytes;
    same = same && all->at(at) == static_cast<char>('a' + (kPieces - 1 - piece) % 26);
  }
  EXPECT_TRUE(same);
  EXPECT_EQ(pump->most.load(), 0U);
  EXPECT_TRUE(eventually([&] { return pump->stream.queued() == 0; }));
}

CONFORMANCE(TellsAtOnceThatNothingIsQueued) {
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  std::promise<void> told;
  EXPECT_TRUE(stream->when_drained([&] { told.set_value(); }));
  EXPECT_EQ(told.get_future().wait_for(patience()), std::future_status::ready);
  stream->end();
  EXPECT_FALSE(stream->when_drained([] { FAIL() << "nothing may be called behind the end"; }));
}

CONFORMANCE(KeepsPipelinedRequestsUntilTheStreamIsOver) {
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream =
      open_stream(client, get("/stream") + post("/echo", "next") + get("/"));
  ASSERT_TRUE(stream);
  EXPECT_TRUE(stream->send("first"));
  EXPECT_EQ(client.read_exactly(10), "5\r\nfirst\r\n");
  EXPECT_EQ(handler_.requests.load(), 1);
  stream->end();
  EXPECT_EQ(client.read_exactly(5), "0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "POST /echo\nnext");
  EXPECT_EQ(client.read_answer().body, "ok");
}

CONFORMANCE(ShowsThatAStreamIsNotWhole) {
  serve();
  RawClient client(port());
  std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  std::optional<http::Stream> copy = stream;
  stream->send("a part");
  stream.reset();
  EXPECT_TRUE(copy->send(", and more"));
  copy.reset();
  const std::optional<std::string> all = client.read_to_end();
  ASSERT_TRUE(all);
  EXPECT_NE(all->find("a part"), std::string::npos);
  EXPECT_NE(all->find(", and more"), std::string::npos);
  EXPECT_EQ(all->find("0\r\n\r\n"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return handler_.lost.load() == 1; }));
  // Without chunks a close would look like the end.
  RawClient old(port());
  stream = open_stream(old, "GET /stream HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(stream);
  stream->send("a part");
  EXPECT_EQ(old.read_exactly(6), "a part");
  stream.reset();
  EXPECT_EQ(old.read_to_end(), "");
  EXPECT_TRUE(old.was_reset());
}

CONFORMANCE(EndsAStreamThatCannotBegin) {
  handler_.custom = [](const http::Request& request) {
    http::Response response;
    response.body =
        http::StreamBody{[thrown = request.query_value("throw").has_value()](const http::Stream&) {
          if (thrown) throw std::runtime_error("on purpose");
        }};
    return response;
  };
  serve();
  for (const char* path : {"/custom?throw=1", "/custom"}) {
    RawClient client(port());
    client.send(get(path));
    const std::optional<std::string> all = client.read_to_end();
    ASSERT_TRUE(all) << path;
    EXPECT_EQ(all->find("0\r\n\r\n"), std::string::npos) << *all;
  }
  EXPECT_TRUE(eventually([&] { return handler_.lost.load() == 2; }));
  EXPECT_EQ(ask(get("/")).status, 200);
}

}  // namespace
}  // namespace drover::transport
