// Peers of a stream that go, do not read, or send what they should not. cpprestsdk has no streams.
#include <algorithm>
#include <thread>

#include <sys/resource.h>

#include "conformance/hostile_corpus.hpp"
#include "conformance/transport_case.hpp"

namespace drover::transport {
namespace {

CONFORMANCE(SeesThePeerOfASilentStreamClose) {
  serve();
  int lost = 0;
  for (const std::string& ahead : {std::string(), get("/echo")}) {
    for (const bool reset : {false, true}) {
      RawClient client(port());
      const std::optional<http::Stream> stream = open_stream(client, get("/stream") + ahead);
      ASSERT_TRUE(stream);
      bool told = false;
      if (reset) {
        client.reset();
      } else {
        client.close();
      }
      // Nothing is sent: the done callback tells a producer that has nothing to say.
      EXPECT_TRUE(eventually([&] { return handler_.lost.load() == lost + 1; }));
      EXPECT_FALSE(stream->open());
      EXPECT_FALSE(stream->send("to nobody"));
      EXPECT_FALSE(stream->when_drained([&told] { told = true; }));
      EXPECT_FALSE(told);
      EXPECT_EQ(stream->queued(), 0U);
      stream->end();
      ++lost;
    }
  }
  EXPECT_EQ(handler_.delivered.load(), 0);
}

CONFORMANCE(TakesAPeerThatSendsNoMoreForGone) {
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  client.finish_sending();
  EXPECT_TRUE(eventually([&] { return !stream->open(); }));
  EXPECT_TRUE(client.at_end());
}

CONFORMANCE(KeepsASilentStream) {
  options_.idle_time = Seconds(1);
  options_.header_time = Seconds(1);
  options_.write_time = Seconds(1);
  options_.body_time = Seconds(1);
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  for (int i = 0; i < 2; ++i) {  // twice the time that is allowed for anything else
    RawClient idle(port());
    idle.send(get("/"));
    EXPECT_EQ(idle.read_answer().status, 200);
    EXPECT_TRUE(idle.at_end());
    EXPECT_TRUE(stream->send("still here"));
    EXPECT_EQ(client.read_chunk(), "still here");
  }
  stream->end();
  EXPECT_EQ(client.read_chunk(), "");
}

CONFORMANCE(CutsOffAReaderThatFallsBehind) {
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  std::size_t most = 0;
  EXPECT_TRUE(eventually([&] {
    most = std::max(most, stream->queued());
    return !stream->send(std::string(10'000, 'x'));
  }));
  EXPECT_LE(most, limits::kStreamQueueBytes);
  EXPECT_FALSE(stream->open());
  EXPECT_TRUE(eventually([&] { return stream->queued() == 0 && handler_.lost.load() == 1; }));
  ASSERT_TRUE(client.read_to_end());
  EXPECT_TRUE(client.was_reset());
}

CONFORMANCE(TakesNoPieceLargerThanAQueue) {
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  EXPECT_FALSE(stream->send(std::string(limits::kStreamQueueBytes + 1, 'x')));
  EXPECT_FALSE(stream->open());
  RawClient other(port());
  const std::optional<http::Stream> fits = open_stream(other);
  ASSERT_TRUE(fits);
  EXPECT_TRUE(fits->send(std::string(limits::kStreamQueueBytes, 'x')));
  EXPECT_EQ(other.read_chunk(), std::string(limits::kStreamQueueBytes, 'x'));
}

CONFORMANCE(CutsOffAReaderThatTakesNothing) {
  options_.write_time = Seconds(1);
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  // Never so much that it would be cut off for that.
  EXPECT_TRUE(eventually([&] {
    if (stream->queued() < limits::kStreamPieceBytes)
      stream->send(std::string(limits::kStreamPieceBytes, 'x'));
    return !stream->open();
  }));
  EXPECT_TRUE(eventually([&] { return handler_.lost.load() == 1; }));
}

CONFORMANCE(KeepsAReaderThatIsSlowAndReadsAllTheWhile) {
  options_.write_time = Seconds(1);
  serve();
  RawClient client;
  client.receive_little();
  client.connect(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  // Far longer than the write time-out in all; the kernels take it in steps that are longer than it as well.
  const std::string body(limits::kStreamPieceBytes * 12, 'x');
  ASSERT_TRUE(stream->send(body));
  stream->end();
  std::string read;
  while (read.size() < body.size()) {
    const std::string piece = client.read_exactly(4096);
    ASSERT_FALSE(piece.empty()) << "it was cut off after " << read.size() << " bytes";
    read += piece;
    std::this_thread::sleep_for(Millis(100));  // that it is slow is what this is about
  }
  EXPECT_TRUE(eventually([&] { return handler_.delivered.load() == 1; }));
  EXPECT_EQ(handler_.lost.load(), 0);
}

CONFORMANCE(CutsOffAPeerThatSendsOnBehindAStream) {
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  EXPECT_TRUE(eventually([&] { return !client.send(post("/echo", std::string(4096, 'x'))); }));
  EXPECT_TRUE(eventually([&] { return !stream->open(); }));
  EXPECT_EQ(handler_.requests.load(), 1);
}

CONFORMANCE(LimitsTheStreamsThatAreOpen) {
  options_.max_streams = 2;
  serve();
  std::vector<std::unique_ptr<RawClient>> clients;
  std::vector<http::Stream> streams;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    const std::optional<http::Stream> stream = open_stream(*clients.back());
    ASSERT_TRUE(stream);
    streams.push_back(*stream);
  }
  RawClient client(port());
  client.send(get("/stream"));
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("retry-after"), "1");
  EXPECT_TRUE(eventually([&] { return handler_.lost.load() == 1; }));
  streams.front().end();
  EXPECT_EQ(clients.front()->read_chunk(), "");
  EXPECT_TRUE(open_stream(client));  // the connection goes on
}

// A sanitizer keeps what was freed, so that the process's memory says nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

void raise_descriptors(rlim_t wanted) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0) << "the test needs " << wanted << " descriptors";
}

CONFORMANCE(AThousandSlowReadersAreCutOffInBoundedMemory) {
  constexpr std::size_t kReaders = 1000;
  constexpr std::int64_t kMost = 32 * 1024 * 1024;
  options_.max_streamed_bytes = kMost;
  raise_descriptors(4096);
  serve();
  std::vector<std::unique_ptr<RawClient>> readers;
  std::vector<http::Stream> streams;
  for (std::size_t i = 0; i < kReaders; ++i) {
    readers.push_back(std::make_unique<RawClient>());
    readers.back()->receive_little();
    readers.back()->connect(port());
    const std::optional<http::Stream> stream = open_stream(*readers.back());
    ASSERT_TRUE(stream);
    streams.push_back(*stream);
  }
  RawClient good(port());
  std::optional<http::Stream> kept = open_stream(good);
  ASSERT_TRUE(kept);
  const std::int64_t before = peak_kib();
  std::atomic<bool> over{false};
  std::size_t most = 0;
  std::thread producer([&] {
    while (!over.load()) {
      std::size_t queued = 0;
      const auto open = std::count_if(streams.begin(), streams.end(), [&](const http::Stream& stream) {
        const bool sent = stream.send(std::string(limits::kStreamPieceBytes, 'x'));
        queued += stream.queued();
        return sent;
      });
      most = std::max(most, queued);
      if (open == 0) return;
    }
  });
  int answered = 0;
  const bool all_cut = eventually([&] {
    // Beside them a stream that is read, and requests, go on.
    EXPECT_TRUE(kept->send("x"));
    EXPECT_EQ(good.read_chunk(), "x");
    EXPECT_EQ(ask(get("/")).status, 200);
    ++answered;
    return HasFailure() || handler_.lost.load() == static_cast<int>(kReaders);
  });
  over.store(true);
  producer.join();
  EXPECT_TRUE(all_cut);
  EXPECT_GT(answered, 0);
  EXPECT_GT(most, 0U);
  EXPECT_LE(most, static_cast<std::size_t>(2 * kMost));
  if (!kSanitized) {
    EXPECT_LT(peak_kib() - before, 4 * kMost / 1024);  // a buffer may be twice what it holds
  }
  EXPECT_TRUE(
      std::none_of(streams.begin(), streams.end(), [](const http::Stream& stream) { return stream.open(); }));
  kept->end();
  EXPECT_EQ(good.read_chunk(), "");
}

CONFORMANCE(HostileBytesBehindAStreamAreRefusedAfterIt) {
  serve();
  for (const Hostile& hostile : hostile_corpus()) {
    SCOPED_TRACE(hostile.name);
    RawClient client(port());
    const std::optional<http::Stream> stream = open_stream(client, get("/stream") + hostile.bytes);
    ASSERT_TRUE(stream);
    EXPECT_TRUE(stream->send("x"));
    EXPECT_EQ(client.read_chunk(), "x");
    stream->end();
    EXPECT_EQ(client.read_chunk(), "");
    const Answer answer = client.read_answer();
    ASSERT_TRUE(answer.came() && hostile.allowed.contains(answer.status)) << answer.status;
    EXPECT_TRUE(client.at_end());
  }
  EXPECT_EQ(ask(get("/")).status, 200);
}

CONFORMANCE(HostileBytesBeginNoStream) {
  serve();
  RawClient reader(port());
  ASSERT_TRUE(open_stream(reader));
  for (Hostile hostile : hostile_corpus()) {
    SCOPED_TRACE(hostile.name);
    if (const auto at = hostile.bytes.find("/echo"); at != std::string::npos)
      hostile.bytes.replace(at, 5, "/stream");
    RawClient client(port());
    client.send(hostile.bytes);
    const Answer answer = client.read_answer();
    ASSERT_TRUE(answer.came() && hostile.allowed.contains(answer.status)) << answer.status;
    EXPECT_TRUE(client.at_end());
  }
  EXPECT_EQ(handler_.requests.load(), 1);
}

}  // namespace
}  // namespace drover::transport
