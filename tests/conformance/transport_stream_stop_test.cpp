// A server that stops while it sends streams. cpprestsdk has no streams.
#include "conformance/transport_case.hpp"

namespace drover::transport {
namespace {

CONFORMANCE(StopBreaksStreamsOffAtOnce) {
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  RawClient slow(port());
  const std::optional<http::Stream> unread = open_stream(slow);
  ASSERT_TRUE(unread);
  EXPECT_TRUE(stream->send("before"));
  EXPECT_EQ(client.read_chunk(), "before");
  // So much that some of it stays queued, and never so much that it would be cut off.
  const auto stuck = [&] { return unread->queued() > limits::kStreamPieceBytes; };
  EXPECT_TRUE(
      eventually([&] { return stuck() || !unread->send(std::string(limits::kStreamPieceBytes, 'x')); }));
  std::atomic<bool> told{false};
  stream->when_drained([] {});
  unread->when_drained([&] { told.store(true); });
  server_->stop(2 *
                std::chrono::duration_cast<Millis>(patience()));  // waits for streams: out of patience below
  EXPECT_FALSE(stream->open());
  EXPECT_FALSE(stream->send("too late"));
  EXPECT_TRUE(told.load());
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(handler_.lost.load(), 2);
}

CONFORMANCE(StopLetsAStreamFinishThatWasEnded) {
  serve();
  RawClient client(port());
  const std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  std::size_t sent = 0;
  while (stream->queued() <= limits::kStreamPieceBytes &&
         stream->send(std::string(limits::kStreamPieceBytes, 'x'))) {
    sent += limits::kStreamPieceBytes;
  }
  EXPECT_TRUE(stream->open());
  stream->end();
  std::thread stopping([&] { server_->stop(std::chrono::duration_cast<Millis>(patience())); });
  const std::optional<std::string> all = client.read_chunks();
  stopping.join();
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), sent);
  EXPECT_TRUE(client.at_end());
}

CONFORMANCE(AnswersAStreamThatComesWhileStoppingWith503) {
  serve();
  RawClient idle(port());
  idle.send(get("/"));
  EXPECT_EQ(idle.read_answer().status, 200);
  RawClient client(port());
  client.send(get("/wait"));
  const http::Reply reply = handler_.next_waiting();
  std::thread stopping([&] { server_->stop(std::chrono::duration_cast<Millis>(patience())); });
  EXPECT_TRUE(idle.at_end());
  bool begun = false;
  http::Response response;
  response.with("X-Request-Id", "mine");
  response.body = http::StreamBody{[&](const http::Stream&) { begun = true; }};
  reply.send(std::move(response), handler_.on_done());
  const Answer answer = client.read_answer();
  client.close();
  stopping.join();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("x-request-id"), "mine");
  EXPECT_EQ(handler_.lost.load(), 1);
  EXPECT_FALSE(begun);
}

CONFORMANCE(AStreamMayOutliveTheServer) {
  serve();
  RawClient client(port());
  std::optional<http::Stream> stream = open_stream(client);
  ASSERT_TRUE(stream);
  EXPECT_TRUE(stream->when_drained([held = *stream] { EXPECT_TRUE(held.queued() == 0); }));
  server_.reset();
  EXPECT_FALSE(stream->open());
  EXPECT_FALSE(stream->send("too late"));
  EXPECT_FALSE(stream->when_drained([] {}));
  stream->end();
  stream.reset();
  EXPECT_EQ(client.read_to_end(), "");
}

CONFORMANCE(StopRacesWithStreams) {
  options_.threads = 4;
  // Ends by its producer's word, by its going away, by a peer that closes, or by the server's end.
  std::mutex mutex;
  std::vector<http::Stream> begun;
  handler_.custom = [&](const http::Request&) {
    http::Response response;
    response.body = http::StreamBody{[&](http::Stream stream) {
      const std::lock_guard lock(mutex);
      begun.push_back(std::move(stream));
    }};
    return response;
  };
  serve();
  std::atomic<bool> over{false};
  std::atomic<int> ended{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      while (!over.load()) {
        std::optional<http::Stream> stream;
        {
          const std::lock_guard lock(mutex);
          if (!begun.empty()) {
            stream = std::move(begun.back());
            begun.pop_back();
          }
        }
        if (!stream) {
          std::this_thread::yield();
          continue;
        }
        for (int piece = 0; piece < 20 && stream->send(std::string(1000, 'x')); ++piece) {
        }
        stream->when_drained([held = *stream] { held.send("drained"); });
        if (i > 0) stream->end();
      }
    });
  }
  const std::uint16_t to = port();
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      while (!over.load()) {
        RawClient client(to);
        if (!client.send(get("/custom")) || client.read_answer(true).status != 200) {
          if (i == 0 && !over.load()) ADD_FAILURE() << "no stream while the server served";
          return;
        }
        if (i % 2 == 0) client.read_chunks();
        ended.fetch_add(1);
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return ended.load() > 200; }));
  over.store(true);
  server_->stop(Millis(0));
  for (std::thread& thread : threads) thread.join();
  begun.clear();
  EXPECT_EQ(handler_.delivered.load() + handler_.lost.load(), handler_.requests.load());
}

}  // namespace
}  // namespace drover::transport
