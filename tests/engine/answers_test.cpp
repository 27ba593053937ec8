#include "answers.hpp"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace drover::engine {
namespace {

using ports::Lane;

TEST(Answers, AreToldOnAThreadOfTheirOwnTheWorkersFirst) {
  std::vector<std::string> told;
  std::thread::id on;
  Answers answers;
  const auto note = [&](const std::string& what) {
    return Done<Ok>([&told, &on, what](const Status&) {
      told.push_back(what);
      on = std::this_thread::get_id();
    });
  };
  const Done<Ok> submission = answers.later<Ok>(Lane::submissions, note("a submission"));
  const Done<Ok> claim = answers.later<Ok>(Lane::workers, note("a claim"));
  submission(Ok{});
  claim(Ok{});
  answers.hand_over();
  EXPECT_TRUE(told.empty()) << "told by whoever hands over";
  answers.start();
  answers.stop();
  EXPECT_EQ(told, (std::vector<std::string>{"a claim", "a submission"}));
  EXPECT_NE(on, std::this_thread::get_id());
}

TEST(Answers, AreAllToldBeforeTheirThreadStops) {
  constexpr int kAnswers = 10'000;
  int told = 0;
  Answers answers;
  answers.start();
  for (int i = 0; i < kAnswers; ++i) {
    answers.later<Ok>(Lane::workers, [&](const Status&) { ++told; })(Ok{});
    if (i % 7 == 0) answers.hand_over();
  }
  answers.hand_over();
  answers.stop();
  EXPECT_EQ(told, kAnswers);
}

TEST(Answers, AnExceptionEndsOneAnswerOnly) {
  bool told = false;
  Answers answers;
  answers.start();
  const Done<Ok> bad =
      answers.later<Ok>(Lane::workers, [](const Status&) { throw std::runtime_error("no memory"); });
  const Done<Ok> good = answers.later<Ok>(Lane::workers, [&](const Status&) { told = true; });
  bad(Ok{});
  good(Ok{});
  answers.hand_over();
  answers.stop();
  EXPECT_TRUE(told);
}

TEST(Answers, CarryWhatWasAnswered) {
  Result<std::string> got = Error{Errc::internal, "not told"};
  Answers answers;
  answers.start();
  answers.later<std::string>(Lane::operators,
                             [&](Result<std::string> text) { got = std::move(text); })(std::string("yes"));
  answers.hand_over();
  answers.stop();
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(*got, "yes");
}

}  // namespace
}  // namespace drover::engine
