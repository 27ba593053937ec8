#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "drover/core/fleet/launch_moves.hpp"
#include "drover/core/worker/moves.hpp"
#include "drover/core/worker/registration.hpp"

namespace drover::core::worker_moves {
namespace {

using S = WorkerState;
using M = WorkerMove;
using Kind = MoveDecision::Kind;

constexpr std::array kStates{S::starting, S::active, S::draining, S::terminating, S::gone};
constexpr std::array kMoves{M::cordon_idle, M::drain, M::notice, M::activate, M::terminate, M::gone};

// All that a worker can be.
std::vector<WorkerBrief> workers() {
  std::vector<WorkerBrief> all;
  for (const S state : kStates) {
    for (const bool registered : {false, true}) {
      for (const bool leased : {false, true}) {
        for (const bool noticed : {false, true}) all.push_back({state, registered, leased, noticed});
      }
    }
  }
  return all;
}

std::string name(const WorkerBrief& worker, M move) {
  return std::string(to_string(move)) + " " + std::string(to_string(worker.state)) +
         (worker.registered ? " registered" : "") + (worker.leased ? " leased" : "") +
         (worker.noticed ? " noticed" : "");
}

WorkerBrief after(WorkerBrief worker, M move) {
  const MoveDecision decision = decide_move(worker, move);
  if (decision.kind != Kind::move) return worker;
  worker.state = decision.to;
  worker.noticed = worker.noticed || move == M::notice;
  return worker;
}

TEST(WorkerMoves, AskedAgainIsNothing) {
  for (const WorkerBrief& worker : workers()) {
    for (const M move : kMoves) {
      if (decide_move(worker, move).kind == Kind::refuse) continue;
      EXPECT_EQ(decide_move(after(worker, move), move).kind, Kind::nothing) << name(worker, move);
    }
  }
}

TEST(WorkerMoves, ARefusalSaysWhyAndNothingElseDoes) {
  for (const WorkerBrief& worker : workers()) {
    for (const M move : kMoves) {
      const MoveDecision decision = decide_move(worker, move);
      EXPECT_EQ(decision.reason.empty(), decision.kind != Kind::refuse) << name(worker, move);
    }
  }
}

TEST(WorkerMoves, NobodyComesBackFromItsEnd) {
  for (const WorkerBrief& worker : workers()) {
    for (const M move : kMoves) {
      const S to = after(worker, move).state;
      if (worker.state == S::terminating || worker.state == S::gone) {
        EXPECT_TRUE(to == worker.state || to == S::gone) << name(worker, move);
      }
    }
  }
}

// What keeps an open attempt from losing its worker behind its back.
TEST(WorkerMoves, ALeaseForbidsACordonAndTheEnd) {
  for (const WorkerBrief& worker : workers()) {
    if (!worker.leased || worker.state == S::gone) continue;
    EXPECT_NE(after(worker, M::gone).state, S::gone) << name(worker, M::gone);
    if (worker.state != S::terminating) {
      EXPECT_NE(after(worker, M::cordon_idle).state, S::terminating) << name(worker, M::cordon_idle);
    }
  }
}

TEST(WorkerMoves, ANoticedWorkerIsNeverActiveAgain) {
  for (const WorkerBrief& worker : workers()) {
    if (worker.state == S::gone) continue;
    const WorkerBrief noticed = after(worker, M::notice);
    EXPECT_TRUE(noticed.noticed) << name(worker, M::notice);
    if (!worker.noticed) {
      EXPECT_NE(noticed.state, S::active) << name(worker, M::notice);
    }
    EXPECT_NE(decide_move(noticed, M::activate).kind, Kind::move) << name(noticed, M::activate);
  }
}

TEST(WorkerMoves, EachLeadsWhereItsNameSays) {
  const WorkerBrief active{S::active, true, false, false};
  EXPECT_EQ(after(active, M::cordon_idle).state, S::terminating);
  EXPECT_EQ(after(active, M::drain).state, S::draining);
  EXPECT_EQ(after(active, M::notice).state, S::draining);
  EXPECT_EQ(after(active, M::terminate).state, S::terminating);
  EXPECT_EQ(after(active, M::gone).state, S::gone);
  EXPECT_EQ(after({S::draining, true, true, false}, M::activate).state, S::active);
  EXPECT_EQ(after({S::draining, false, false, false}, M::activate).state, S::starting);
  EXPECT_EQ(after({S::starting, false, false, false}, M::drain).state, S::draining);
  EXPECT_EQ(after({S::active, true, true, false}, M::terminate).state, S::terminating);
  EXPECT_EQ(decide_move({S::starting, false, false, false}, M::cordon_idle).reason, "it is starting");
}

TEST(Registration, EachInstanceMayOnceAndOnlyOneOfTheLaunch) {
  using Decision = RegistrationDecision::Kind;
  EXPECT_EQ(decide_registration({}, "n").kind, Decision::not_yet);
  const auto first = decide_registration(RegistrationBrief{S::starting, false, ""}, "n");
  EXPECT_EQ(first.kind, Decision::accept);
  EXPECT_EQ(first.to, S::active);
  const auto drained = decide_registration(RegistrationBrief{S::draining, false, ""}, "n");
  EXPECT_EQ(drained.kind, Decision::accept);
  EXPECT_EQ(drained.to, S::draining);
  for (const S state : {S::active, S::draining, S::terminating}) {
    EXPECT_EQ(decide_registration(RegistrationBrief{state, true, "n"}, "n").kind, Decision::repeat);
    EXPECT_EQ(decide_registration(RegistrationBrief{state, true, "n"}, "other").kind, Decision::refuse);
  }
  for (const S state : {S::terminating, S::gone}) {
    const auto refused = decide_registration(RegistrationBrief{state, false, ""}, "");
    EXPECT_EQ(refused.kind, Decision::refuse);
    EXPECT_EQ(refused.reason, "is " + std::string(to_string(state)));
  }
  EXPECT_EQ(decide_registration(RegistrationBrief{S::gone, true, "n"}, "n").kind, Decision::refuse);
}

TEST(LaunchMoves, WhatIsOverStaysOverAndWhatIsAnsweredIsNotOpenedAgain) {
  using L = LaunchState;
  for (const L told : {L::intended, L::fulfilled, L::failed, L::closed}) {
    EXPECT_EQ(after_told(L::intended, told), told);
    EXPECT_EQ(after_told(L::fulfilled, told), told == L::intended ? L::fulfilled : told);
    EXPECT_EQ(after_told(L::failed, told), L::failed);
    EXPECT_EQ(after_told(L::closed, told), L::closed);
  }
}

}  // namespace
}  // namespace drover::core::worker_moves
