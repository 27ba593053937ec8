#include "executor.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "drover/base/failpoint.hpp"
#include "drover/base/log.hpp"

namespace drover::reconcile {
namespace {

constexpr std::array kActionNames{"lose_worker", "mark_gone",   "adopt",         "close_launch", "terminate",
                                  "cordon_idle", "call_launch", "insert_launch", "block_pool",   "look_up"};
static_assert(kActionNames.size() == std::variant_size_v<core::Action>);

void dropped(const char* what, const Error& error) {
  log_info("reconcile: {} dropped: {}", what, error.message);
}

}  // namespace

Executor::Executor(FleetPort& fleet, CountedCloud& cloud, const Clock& clock, ports::Metrics& metrics,
                   const ReconcileOptions& options, core::Outcomes& outcomes, core::CloudHealth& health,
                   std::function<bool()> may_go_on)
    : fleet_(fleet),
      cloud_(cloud),
      clock_(clock),
      metrics_(metrics),
      options_(options),
      outcomes_(outcomes),
      health_(health),
      may_go_on_(std::move(may_go_on)) {}

bool Executor::run(const std::vector<core::Action>& actions, const World& world) {
  world_ = &world;
  trusted_until_ = world.view.trusted_until;
  forget_what_is_over();
  lose_workers(actions);
  for (const auto& action : actions) {
    if (std::visit([this](const auto& what) { return carry_out(what); }, action)) count(action);
  }
  terminate_collected();
  world_ = nullptr;
  return again_;
}

void Executor::count(const core::Action& action) {
  metrics_.add("drover_reconcile_actions_total", 1, {{"action", kActionNames.at(action.index())}});
}

// Drops outcomes that no later plan looks at.
void Executor::forget_what_is_over() {
  const SteadyTime now = clock_.steady();
  std::erase_if(outcomes_.tries, [&](const auto& entry) { return launch_row(entry.first) == nullptr; });
  std::erase_if(outcomes_.launched, [&](const auto& entry) { return now - entry.second.at >= Seconds{60}; });
  std::erase_if(outcomes_.terminate_sent,
                [&](const auto& entry) { return now - entry.second >= core::kTerminateRetry; });
  if (!world_->listing) return;
  std::set<std::string> listed;
  for (const core::Instance& instance : *world_->listing) listed.insert(instance.id);
  std::erase_if(outcomes_.ended, [&](const std::string& id) { return !listed.contains(id); });
}

// The cloud does not check the epoch as the store does. If this process stood still since the plan was made,
// another daemon may lead by now, and a call would work against it.
bool Executor::may_call() {
  if (!may_go_on_()) return false;
  if (clock_.steady() < trusted_until_) return true;
  const auto view = fleet_.view();
  const bool leads = view.ok() && view->leading && view->epoch == world_->view.epoch;
  if (leads) trusted_until_ = view->trusted_until;
  if (leads && clock_.steady() < trusted_until_) return true;
  log_warn("reconcile: the rest of the plan is dropped: it is not certain that this daemon still leads");
  return false;
}

const ports::PoolRow* Executor::pool(const std::string& name) const {
  for (const auto& row : world_->view.pools) {
    if (row.spec.name == name) return &row;
  }
  return nullptr;
}

const ports::LaunchRow* Executor::launch_row(LaunchId launch) const {
  for (const auto& row : world_->after.launches) {
    if (row.id == launch) return &row;
  }
  return nullptr;
}

// Loses all workers whose machines have ended in one call, so that many deaths need few transactions.
void Executor::lose_workers(const std::vector<core::Action>& actions) {
  std::vector<LostWorker> lost;
  std::vector<const core::Action*> asked;  // for each of them
  for (const core::Action& action : actions) {
    if (const auto* loss = std::get_if<core::LoseWorker>(&action)) {
      log_warn("worker {} lost ({}): {}", loss->worker.value, core::to_string(loss->outcome), loss->reason);
      DROVER_FAILPOINT("lose.chosen");
      lost.push_back({loss->worker, loss->outcome, loss->reason, loss->with_many});
      asked.push_back(&action);
    } else if (const auto* gone = std::get_if<core::MarkGone>(&action)) {
      DROVER_FAILPOINT("terminate.seen");
      // Goes the same way as a loss: an attempt that the worker may still hold has to end with its machine.
      lost.push_back({gone->worker, core::Outcome::interruption, gone->reason, false});
      asked.push_back(&action);
    }
  }
  if (lost.empty()) return;
  const std::vector<Status> done = fleet_.lose_workers(lost);
  for (std::size_t i = 0; i < lost.size(); ++i) {
    if (done[i].ok()) count(*asked[i]);
    // The machine was meant to end: no loss to count.
    if (std::holds_alternative<core::MarkGone>(*asked[i])) {
      DROVER_FAILPOINT("terminate.gone");
      if (!done[i].ok()) dropped("the end of a worker", done[i].error());
      continue;
    }
    DROVER_FAILPOINT("lose.stored");
    if (!done[i].ok()) {
      dropped("the loss of a worker", done[i].error());
    } else {
      metrics_.add("drover_workers_lost_total", 1, {{"outcome", core::to_string(lost[i].outcome)}});
    }
  }
}

bool Executor::move_worker(WorkerId worker, core::WorkerMove move, const std::string& reason) {
  DROVER_FAILPOINT("terminate.chosen");
  const auto changed = fleet_.apply(ports::MoveWorker{worker, move, reason, clock_.wall()});
  DROVER_FAILPOINT("terminate.marked");
  if (!changed.ok()) dropped("a change of a worker", changed.error());
  return changed.ok();
}

bool Executor::carry_out(const core::Terminate& action) {
  if (action.mark && !move_worker(action.worker, core::WorkerMove::terminate, action.reason)) return false;
  if (action.mark || action.worker.value == 0)
    log_info("terminate {}: {}", action.instance_id, action.reason);
  to_terminate_.push_back(action.instance_id);
  return true;
}

bool Executor::carry_out(const core::CordonIdle& action) {
  if (!move_worker(action.worker, core::WorkerMove::cordon_idle, action.reason)) return false;
  log_info("terminate {}: {}", action.instance_id, action.reason);
  to_terminate_.push_back(action.instance_id);
  return true;
}

// One call for all. An instance that the cloud refuses to terminate is asked for again by a later plan, after
// kTerminateRetry as every other: the refusal says that all the others were terminated.
void Executor::terminate_collected() {
  const std::vector<std::string> ids = std::exchange(to_terminate_, {});
  if (ids.empty() || !may_call()) return;
  DROVER_FAILPOINT("terminate.call");
  const auto asked = [&] {
    for (const std::string& id : ids) outcomes_.terminate_sent[id] = clock_.steady();
  };
  asked();
  const core::CloudStatus done = cloud_.terminate(ids);
  DROVER_FAILPOINT("terminate.called");
  if (!done.ok()) {
    const core::CloudErrorClass refused = done.error().error_class;
    if (refused != core::CloudErrorClass::protection && refused != core::CloudErrorClass::id) return;
  }
  asked();  // the call may have taken long
}

bool Executor::carry_out(const core::BlockPool& action) {
  const ports::PoolRow* row = pool(action.pool);
  if (row == nullptr) return false;
  const auto blocked =
      fleet_.apply(ports::PutPool{row->spec, false, action.version, action.reason, clock_.wall()});
  if (blocked.ok()) {
    log_error("pool {} is blocked: {}", action.pool, action.reason);
  } else {
    dropped("a pool's block", blocked.error());
  }
  return blocked.ok();
}

}  // namespace drover::reconcile
