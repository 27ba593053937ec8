#include "drover/core/worker/lease.hpp"

#include <gtest/gtest.h>

namespace drover::core::leases {
namespace {

constexpr SteadyTime kStart{Seconds{1000}};

class Lease : public ::testing::Test {
 protected:
  Lease() {
    tunables_.lease_s = 60;
    tunables_.heartbeat_interval_s = 5;
    lease_ = handed_out({}, now_, tunables_);
  }
  void pass(int seconds) { now_ += Seconds{seconds}; }
  void hears(bool in_the_list) {
    lease_ = in_the_list ? listed(lease_, now_, tunables_) : left_out(lease_, now_, tunables_);
  }
  [[nodiscard]] LeaseVerdict verdict() const { return judge_lease(lease_, now_); }

  Tunables tunables_;
  SteadyTime now_ = kStart;
  LeaseTerm lease_;
};

TEST_F(Lease, LastsForATermAndEachListRenewsIt) {
  pass(59);
  EXPECT_EQ(verdict(), LeaseVerdict::stands);
  hears(true);
  pass(59);
  EXPECT_EQ(verdict(), LeaseVerdict::stands);
  pass(1);
  EXPECT_EQ(verdict(), LeaseVerdict::silent);
}

TEST_F(Lease, AWorkerThatNeverHadTheAttemptReturnsIt) {
  pass(11);
  hears(false);
  EXPECT_EQ(verdict(), LeaseVerdict::stands) << "one list may be an accident";
  hears(false);
  EXPECT_EQ(verdict(), LeaseVerdict::returned);
}

TEST_F(Lease, AWorkerThatHadItHasDroppedIt) {
  hears(true);
  pass(11);
  hears(false);
  hears(false);
  EXPECT_EQ(verdict(), LeaseVerdict::dropped);
}

TEST_F(Lease, ListsThatCrossedTheAnswerSayNothing) {
  for (int i = 0; i < 10; ++i) {
    pass(1);
    hears(false);
  }
  EXPECT_EQ(verdict(), LeaseVerdict::stands);
  lease_ = handed_out(lease_, now_, tunables_);  // the same claim again: the first answer was lost
  pass(9);
  hears(false);
  hears(false);
  EXPECT_EQ(verdict(), LeaseVerdict::stands);
}

TEST_F(Lease, AListThatHasItAgainMakesTheMissesGood) {
  pass(11);
  hears(false);
  hears(true);
  hears(false);
  EXPECT_EQ(verdict(), LeaseVerdict::stands);
}

TEST_F(Lease, OnlyTheLastHandingOutIsGivenBackAndNothingThatTheWorkerHas) {
  EXPECT_TRUE(may_give_back(lease_, 1));
  lease_ = handed_out(lease_, now_, tunables_);
  EXPECT_FALSE(may_give_back(lease_, 1));
  EXPECT_TRUE(may_give_back(lease_, 2));
  hears(true);
  EXPECT_FALSE(may_give_back(lease_, 2));
}

}  // namespace
}  // namespace drover::core::leases
