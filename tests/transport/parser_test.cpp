#include <algorithm>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "drover/base/limits.hpp"
#include "drover/http/message.hpp"

#include "transport/body.hpp"
#include "transport/head_scanner.hpp"
#include "transport/request_parser.hpp"

namespace drover::transport {
namespace {

constexpr std::string_view kHead = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Outcome {
  int status = 0;  // of a refusal
  bool complete = false;
  std::string body;
};

// Feeds `pieces` bytes at a time, and whatever was not taken again with the next, as a connection does.
Outcome parse_chunks(std::string_view wire, std::size_t piece) {
  RequestParser parser;
  http::Request request;
  EXPECT_FALSE(parser.head(kHead, request).has_value());
  BodyBudget budget(1'000'000);
  Body body;
  body.to_memory(budget);
  Outcome outcome;
  std::string held;
  for (std::size_t at = 0; at < wire.size() && !parser.complete(); at += piece) {
    held += wire.substr(at, piece);
    for (int again = 0; again < 2 && !parser.complete(); ++again) {
      std::optional<http::Response> refusal;
      held.erase(0, parser.body(held, body, refusal));
      if (refusal) {
        outcome.status = refusal->status;
        return outcome;
      }
    }
  }
  outcome.complete = parser.complete();
  body.finish(request);
  outcome.body = request.body;
  return outcome;
}

TEST(RequestParser, ReadsChunksInPiecesOfAnySize) {
  const std::pair<std::string_view, std::string_view> table[] = {
      {"0\r\n\r\n", ""},
      {"000\r\n\r\n", ""},
      {"0\r\na: b\r\nc: d\r\n\r\n", ""},
      {"0;x=y\r\n\r\n", ""},
      {"1\r\n0\r\n0\r\n\r\n", "0"},
      {"3\r\n0\r\n\r\n0\r\n\r\n", "0\r\n"},
      {"4\r\nwiki\r\n05;a=\"b;c\"\r\npedia\r\n00\r\nA: b\r\n\r\n", "wikipedia"},
  };
  for (const auto& [wire, text] : table) {
    for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
      const Outcome outcome = parse_chunks(wire, piece);
      EXPECT_EQ(outcome.status, 0) << wire << " by " << piece;
      EXPECT_TRUE(outcome.complete) << wire << " by " << piece;
      EXPECT_EQ(outcome.body, text) << wire << " by " << piece;
    }
  }
}

TEST(RequestParser, RefusesBadChunksInPiecesOfAnySize) {
  for (const std::string_view wire :
       {"-1\r\n", "x\r\n", "0x\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1 1\r\n", "10000000000000000\r\n",
        "0\r\nbad trailer\r\n\r\n", "0\r\r\n\r\n", "1\r\na\n\n0\r\n\r\n"}) {
    for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
      EXPECT_EQ(parse_chunks(wire, piece).status, 400) << wire << " by " << piece;
    }
  }
}

// Seeded. Two servers that cut the same bytes differently must not see different requests.
TEST(RequestParser, ReadsMutatedChunksTheSameInPiecesOfAnySize) {
  const std::string seed = "4\r\nwiki\r\n05;a=\"b;c\"\r\npedia\r\n0\r\nA: b\r\n\r\n";
  constexpr std::string_view kBytes = "\r\n\0 :;0123af-\"=x";
  std::mt19937 random(20'260'102);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  for (int round = 0; round < 3'000; ++round) {
    std::string wire = seed;
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
      const std::size_t at = below(wire.size());
      switch (below(3)) {
        case 0:
          wire[at] = kBytes[below(kBytes.size())];
          break;
        case 1:
          wire.insert(at, 1, kBytes[below(kBytes.size())]);
          break;
        default:
          wire.erase(at, 1 + below(2));
          break;
      }
    }
    const Outcome whole = parse_chunks(wire, wire.size());
    for (std::size_t piece = 1; piece < 8; ++piece) {
      const Outcome outcome = parse_chunks(wire, piece);
      EXPECT_EQ(outcome.status, whole.status) << testing::PrintToString(wire) << " by " << piece;
      EXPECT_EQ(outcome.complete, whole.complete) << testing::PrintToString(wire) << " by " << piece;
      EXPECT_TRUE(!whole.complete || outcome.body == whole.body)
          << testing::PrintToString(wire) << " by " << piece;
    }
  }
}

TEST(HeadScanner, JudgesTheSameInPiecesOfAnySize) {
  using State = HeadScanner::State;
  const std::pair<std::string_view, State> table[] = {
      {"GET / HTTP/1.1\r\nA: b\r\n\r\nrest", State::complete},
      {"\r\nGET / HTTP/1.1\r\n\r\n", State::complete},
      {"GET / HTTP/1.1\r\nA: b\r\n\r", State::more},
      {"GET / HTTP/1.1\nA: b\n\n", State::bad},
      {"GET / HTTP/1.1\r\n b\r\n\r\n", State::bad},
      {"GET / HTTP/1.1\rA", State::bad},
      {"GET / HTTP/1.1\r\n\r\r\n", State::bad},
      {"GET / HTTP/1.1\r\nA: 0123456789012345678", State::header_too_large},
      {"GET / HTTP/1.1\r\nA: b\tc\xff\r\n\r\n", State::complete},
      {"GET / HTTP/1.1\r\nAbcde: 56789\r\n\r\n", State::complete},  // as long as the limit
      {"GET / HTTP/1.1\r\nAbcde: 567890\r\n\r\n", State::header_too_large},
      {{"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 26}, State::bad},
      {"GET / HTTP/1.1\r\n\tb\r\n\r\n", State::bad},
      {"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n",
       State::header_too_large},
  };
  for (const auto& [bytes, verdict] : table) {
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
      HeadScanner scanner(32);
      State state = State::more;
      for (std::size_t end = piece; state == State::more; end += piece) {
        state = scanner.scan(bytes.substr(0, end));
        if (end >= bytes.size()) break;
      }
      EXPECT_EQ(state, verdict) << bytes << " by " << piece;
      if (state != State::complete) continue;
      EXPECT_EQ(bytes.substr(scanner.begin(), 3), "GET");
      EXPECT_EQ(bytes.substr(scanner.end() - 4, 4), "\r\n\r\n");
    }
  }
}

TEST(HeadScanner, BoundsTheTargetBeforeItsLineEnds) {
  const std::string longest(limits::kTargetBytes, 'a');
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, 2 * limits::kTargetBytes}) {
    HeadScanner scanner(64 * 1024);
    const std::string taken = "GET /" + longest + " HTTP/1.1\r\nA: " + longest + "\r\n\r\n";
    for (std::size_t end = piece; end < taken.size(); end += piece)
      ASSERT_EQ(scanner.scan(std::string_view(taken).substr(0, end)), HeadScanner::State::more);
    EXPECT_EQ(scanner.scan(taken), HeadScanner::State::complete);
    HeadScanner refusing(64 * 1024);
    const std::string refused = "GET /" + longest + std::string(100, 'b');
    HeadScanner::State state = HeadScanner::State::more;
    for (std::size_t end = 0; state == HeadScanner::State::more && end < refused.size();) {
      end = std::min(end + piece, refused.size());
      state = refusing.scan(std::string_view(refused).substr(0, end));
    }
    EXPECT_EQ(state, HeadScanner::State::target_too_long);
  }
}

}  // namespace
}  // namespace drover::transport
