#include "transport/stream_pipe.hpp"

#include <gtest/gtest.h>

#include "drover/base/limits.hpp"

namespace drover::transport {
namespace {

using State = StreamPipe::State;

class StreamPipes : public ::testing::Test {
 protected:
  static constexpr std::int64_t kAll = 64 * 1024;

  std::shared_ptr<StreamPipe> pipe() {
    EXPECT_TRUE(room_.enter());
    return std::make_shared<StreamPipe>(room_, [this] { ++woken_; });
  }
  static std::string bytes(std::size_t count) { return std::string(count, 'x'); }

  StreamRoom room_{8, kAll};
  int woken_ = 0;
};

TEST_F(StreamPipes, WakeTheConnectionOnceUntilItTakes) {
  const auto one = pipe();
  EXPECT_TRUE(one->send("a"));
  EXPECT_TRUE(one->send("b"));
  one->end();
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(one->queued(), 2U);
  const auto piece = one->take();
  EXPECT_EQ(piece.bytes, "ab");
  EXPECT_EQ(piece.then, State::ended);
  EXPECT_EQ(one->queued(), 2U);  // they are being written
  EXPECT_EQ(one->take().bytes, "");
  EXPECT_EQ(one->queued(), 0U);
  EXPECT_EQ(woken_, 1);
}

TEST_F(StreamPipes, AreCutBeyondTheirQueueAndForgetIt) {
  StreamRoom large(8, 1LL << 30);
  ASSERT_TRUE(large.enter());
  StreamPipe one(large, [this] { ++woken_; });
  EXPECT_TRUE(one.send(bytes(limits::kStreamQueueBytes - 1)));
  EXPECT_EQ(one.take().bytes.size(), limits::kStreamQueueBytes - 1);
  EXPECT_TRUE(one.send("x"));  // together with what is being written it fits
  EXPECT_EQ(woken_, 2);
  EXPECT_FALSE(one.send("x"));
  EXPECT_EQ(woken_, 3) << "a connection that waits for its peer must hear of it";
  EXPECT_EQ(one.state(), State::cut);
  EXPECT_EQ(one.queued(), limits::kStreamQueueBytes - 1) << "what was queued is thrown away";
  EXPECT_FALSE(one.send(""));
  const auto piece = one.take();
  EXPECT_EQ(piece.bytes, "");
  EXPECT_EQ(piece.then, State::cut);
}

TEST_F(StreamPipes, ThatKeepUpDoNotPayForThoseThatDoNot) {
  const auto slow = pipe();
  const auto other = pipe();
  EXPECT_TRUE(slow->send(bytes(kAll)));
  EXPECT_TRUE(other->send(bytes(kAll / 2))) << "its share";
  EXPECT_FALSE(other->send("x"));
  EXPECT_FALSE(slow->send("x"));
  std::vector<std::shared_ptr<StreamPipe>> more;
  for (int i = 0; i < 6; ++i) {
    more.push_back(pipe());
    EXPECT_TRUE(more.back()->send(bytes(limits::kStreamPieceBytes)));
  }
  EXPECT_FALSE(more.back()->send("x"));
}

TEST_F(StreamPipes, GiveTheirRoomBack) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::shared_ptr<StreamPipe>> all;
    for (int i = 0; i < 8; ++i) all.push_back(pipe());
    EXPECT_FALSE(room_.enter());
    EXPECT_TRUE(all[0]->send(bytes(kAll)));
    if (round % 2 == 0) all[0]->take();
    EXPECT_TRUE(all[1]->send(bytes(10)));
    EXPECT_FALSE(all[1]->send(bytes(kAll)));
    all[2]->close();
    all[2]->close();
    EXPECT_FALSE(all[2]->send("x"));
    EXPECT_TRUE(room_.enter());
    room_.leave();
  }
  const auto one = pipe();
  EXPECT_TRUE(one->send(bytes(kAll)));
}

TEST_F(StreamPipes, TellOnceThatNothingIsQueued) {
  const auto one = pipe();
  int told = 0;
  EXPECT_TRUE(one->send("a"));
  EXPECT_TRUE(one->when_drained([&] { told = -1; }));
  EXPECT_TRUE(one->when_drained([&] { ++told; }));  // in place of the first
  EXPECT_EQ(one->take().bytes, "a");
  EXPECT_EQ(told, 0);
  one->take();
  EXPECT_EQ(told, 1);
  one->take();
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(one->when_drained([&] {
    ++told;
    throw std::runtime_error("on purpose");
  }));
  EXPECT_EQ(told, 1) << "never within the call";
  one->close();
  EXPECT_EQ(told, 2);
  EXPECT_FALSE(one->when_drained([&] { ++told; }));
  EXPECT_EQ(told, 2);
}

TEST_F(StreamPipes, AreBrokenWhenTheirLastHolderGoes) {
  const auto one = pipe();
  auto stream = std::make_unique<http::Stream>(std::make_shared<StreamHandle>(one));
  auto copy = std::make_unique<http::Stream>(*stream);
  EXPECT_TRUE(stream->send("a"));
  stream.reset();
  EXPECT_TRUE(one->open());
  copy.reset();
  const auto piece = one->take();
  EXPECT_EQ(piece.bytes, "a");
  EXPECT_EQ(piece.then, State::broken);

  const auto two = pipe();
  http::Stream(std::make_shared<StreamHandle>(two)).end();
  EXPECT_EQ(two->take().then, State::ended) << "its end has been said";

  // Whoever waits for room holds the stream; the wait is over with the connection at the latest.
  const auto three = pipe();
  {
    const http::Stream waiting(std::make_shared<StreamHandle>(three));
    EXPECT_TRUE(waiting.send("a"));
    EXPECT_TRUE(waiting.when_drained([waiting] {}));
  }
  EXPECT_EQ(three->take().then, State::open);
  EXPECT_EQ(three->take().then, State::open);
  EXPECT_EQ(three->state(), State::broken);
}

}  // namespace
}  // namespace drover::transport
