#include "drover/services/scheduler.hpp"

#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "drover/base/limits.hpp"

namespace drover::services {
namespace {

constexpr int kRowsARead = limits::kPageRows;

Error not_leading(const engine::EngineView& view) {
  return unavailable(fmt::format("this daemon does not lead: {}", view.standby_reason), 1);
}

void add(Capacity& to, const core::Resources& resources, double share) {
  to.cpus += resources.cpus * share;
  to.mem_mib += static_cast<double>(resources.mem_mib) * share;
  to.disk_mib += static_cast<double>(resources.disk_mib) * share;
}

class EngineScheduler final : public Scheduler {
 public:
  EngineScheduler(engine::Engine& engine, ports::Reads& reads, const ports::FleetBoard* board,
                  std::function<std::string()> unready, const Clock& clock)
      : engine_(engine), reads_(reads), board_(board), unready_(std::move(unready)), clock_(clock) {}

  Result<core::Tunables> tunables(const Principal& who) override;
  void put_tunables(const Principal& who, std::map<std::string, std::string> values,
                    engine::Done<TunablesPut> done) override;
  Result<bool> paused(const Principal& who) override;
  void pause(const Principal& who, bool paused, engine::Done<Ok> done) override;
  [[nodiscard]] std::shared_ptr<const engine::EngineView> view() const override { return engine_.shown(); }
  [[nodiscard]] ports::FleetNotes notes() const override {
    return board_ != nullptr ? board_->notes() : ports::FleetNotes{};
  }
  void queues(const Principal& who, std::string after, int limit, engine::Done<QueuePage> done) override;
  std::optional<FleetCapacity> capacity(const engine::EngineView& view,
                                        const std::function<bool()>& give_up) override;
  [[nodiscard]] std::string unready() const override;

 private:
  engine::Engine& engine_;
  ports::Reads& reads_;
  const ports::FleetBoard* board_;
  std::function<std::string()> unready_;
  const Clock& clock_;
};

Result<core::Tunables> EngineScheduler::tunables(const Principal& who) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return allowed.error();
  const auto view = engine_.shown();
  if (!view->leading) return not_leading(*view);
  return view->tunables;
}

void EngineScheduler::put_tunables(const Principal& who, std::map<std::string, std::string> values,
                                   engine::Done<TunablesPut> done) {
  const Result<core::Tunables> before = tunables(who);
  if (!before.ok()) return done(before.error());
  if (values.empty()) return done(TunablesPut{*before, *before});
  engine_.apply(
      ports::PutSettings{std::move(values), clock_.wall()},
      [this, who, before = *before, done = std::move(done)](const Result<ports::PutSettings::Answer>& put) {
        if (!put.ok()) return done(put.error());
        const Result<core::Tunables> after = tunables(who);
        if (!after.ok()) return done(after.error());
        done(TunablesPut{before, *after});
      });
}

Result<bool> EngineScheduler::paused(const Principal& who) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return allowed.error();
  const auto view = engine_.shown();
  if (!view->leading) return not_leading(*view);
  return view->paused;
}

void EngineScheduler::pause(const Principal& who, bool paused, engine::Done<Ok> done) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return done(allowed.error());
  engine_.apply(ports::SetPaused{paused, clock_.wall()},
                [done = std::move(done)](const Result<ports::SetPaused::Answer>& set) {
                  set.ok() ? done(Ok{}) : done(set.error());
                });
}

void EngineScheduler::queues(const Principal& who, std::string after, int limit,
                             engine::Done<QueuePage> done) {
  if (const Status allowed = may_operate(who); !allowed.ok()) return done(allowed.error());
  engine::QueuesWanted wanted{engine::QueuesWanted::Which::by_name, static_cast<std::size_t>(limit) + 1,
                              std::move(after)};  // one more, which says whether there is another page
  engine_.view(std::move(wanted), [limit, done = std::move(done)](Result<engine::EngineView> view) {
    if (!view.ok()) return done(view.error());
    if (!view->leading) {
      return done(unavailable(view->standby_reason, 1));
    }
    QueuePage page{std::move(view->queues), view->counting, false};
    while (page.queues.size() > static_cast<std::size_t>(limit)) {
      page.queues.erase(std::prev(page.queues.end()));
      page.more = true;
    }
    done(std::move(page));
  });
}

std::optional<FleetCapacity> EngineScheduler::capacity(const engine::EngineView& view,
                                                       const std::function<bool()>& give_up) {
  std::unordered_map<std::int64_t, double> taken;
  for (const engine::WorkerView& worker : view.workers) {
    if (worker.slots > 0) taken[worker.id.value] = static_cast<double>(worker.leases) / worker.slots;
  }
  FleetCapacity out;
  std::optional<WorkerId> before;
  for (;;) {
    if (give_up()) return std::nullopt;
    const Result<std::vector<ports::WorkerRow>> rows = reads_.workers(false, before, kRowsARead);
    if (!rows.ok()) return std::nullopt;
    for (const ports::WorkerRow& row : *rows) {
      if (!row.registered) continue;
      add(out.total, row.capacity, 1);
      if (const auto share = taken.find(row.id.value); share != taken.end())
        add(out.taken, row.capacity, share->second);
    }
    if (rows->size() < static_cast<std::size_t>(kRowsARead)) return out;
    before = rows->back().id;
  }
}

std::string EngineScheduler::unready() const {
  const auto view = engine_.shown();
  if (view->leading && view->store_reachable) return unready_ ? unready_() : "";
  if (!view->standby_reason.empty()) return view->standby_reason;
  return view->leading ? "the database is out of reach" : "this daemon does not lead";
}

}  // namespace

std::unique_ptr<Scheduler> make_scheduler(engine::Engine& engine, ports::Reads& reads,
                                          const ports::FleetBoard* board,
                                          std::function<std::string()> unready, const Clock& clock) {
  return std::make_unique<EngineScheduler>(engine, reads, board, std::move(unready), clock);
}

}  // namespace drover::services
