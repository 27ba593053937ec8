#include "drover/core/worker/moves.hpp"

#include <array>

#include "names.hpp"

namespace drover::core {
namespace move_table {
namespace {

constexpr Names<WorkerMove, 6> kMoves{{"cordon_idle", "drain", "notice", "activate", "terminate", "gone"}};

bool any(const WorkerBrief&) {
  return true;
}
bool is_starting(const WorkerBrief& worker) {
  return worker.state == WorkerState::starting;
}
bool is_active(const WorkerBrief& worker) {
  return worker.state == WorkerState::active;
}
bool is_draining(const WorkerBrief& worker) {
  return worker.state == WorkerState::draining;
}
bool is_gone(const WorkerBrief& worker) {
  return worker.state == WorkerState::gone;
}
bool is_ending(const WorkerBrief& worker) {
  return worker.state == WorkerState::terminating || is_gone(worker);
}
bool is_leased(const WorkerBrief& worker) {
  return worker.leased;
}
bool is_noticed(const WorkerBrief& worker) {
  return worker.noticed;
}
bool is_registered(const WorkerBrief& worker) {
  return worker.registered;
}

struct Verdict {
  MoveDecision::Kind kind = MoveDecision::Kind::nothing;
  WorkerState to = WorkerState::starting;
  bool stays = false;  // in its state
  const char* reason = "";
};

constexpr const char* kItsState = "it is ";  // and the state's name

constexpr Verdict nothing() {
  return {};
}
constexpr Verdict to(WorkerState state) {
  return {.kind = MoveDecision::Kind::move, .to = state};
}
constexpr Verdict stays() {
  return {.kind = MoveDecision::Kind::move, .stays = true};
}
constexpr Verdict refuse(const char* reason) {
  return {.kind = MoveDecision::Kind::refuse, .reason = reason};
}

struct Rule {
  WorkerMove move;
  bool (*when)(const WorkerBrief&);
  Verdict verdict;
};

// Of a move's rules the first that matches holds; the last of each always does.
constexpr std::array kRules{
    Rule{WorkerMove::cordon_idle, is_ending, nothing()},
    Rule{WorkerMove::cordon_idle, is_starting, refuse(kItsState)},
    Rule{WorkerMove::cordon_idle, is_leased, refuse("it runs a job")},
    Rule{WorkerMove::cordon_idle, any, to(WorkerState::terminating)},

    Rule{WorkerMove::drain, is_ending, refuse(kItsState)},
    Rule{WorkerMove::drain, is_draining, nothing()},
    Rule{WorkerMove::drain, any, to(WorkerState::draining)},

    Rule{WorkerMove::notice, is_noticed, nothing()},
    Rule{WorkerMove::notice, is_gone, nothing()},
    Rule{WorkerMove::notice, is_ending, stays()},
    Rule{WorkerMove::notice, any, to(WorkerState::draining)},

    Rule{WorkerMove::activate, is_noticed, refuse("its machine has an interruption notice")},
    Rule{WorkerMove::activate, is_ending, refuse(kItsState)},
    Rule{WorkerMove::activate, is_starting, nothing()},
    Rule{WorkerMove::activate, is_active, nothing()},
    Rule{WorkerMove::activate, is_registered, to(WorkerState::active)},
    Rule{WorkerMove::activate, any, to(WorkerState::starting)},  // drained before it registered

    Rule{WorkerMove::terminate, is_ending, nothing()},
    Rule{WorkerMove::terminate, any, to(WorkerState::terminating)},

    Rule{WorkerMove::gone, is_gone, nothing()},
    Rule{WorkerMove::gone, is_leased, refuse("its attempts are still open")},
    Rule{WorkerMove::gone, any, to(WorkerState::gone)},
};

}  // namespace
}  // namespace move_table

std::string_view to_string(WorkerMove move) {
  return move_table::kMoves.of(move);
}

MoveDecision decide_move(const WorkerBrief& worker, WorkerMove move) {
  for (const move_table::Rule& rule : move_table::kRules) {
    if (rule.move != move || !rule.when(worker)) continue;
    const move_table::Verdict& verdict = rule.verdict;
    MoveDecision decision{verdict.kind, verdict.stays ? worker.state : verdict.to, verdict.reason};
    if (verdict.reason == move_table::kItsState) decision.reason += to_string(worker.state);
    return decision;
  }
  return {};
}

}  // namespace drover::core
