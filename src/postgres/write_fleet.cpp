#include <map>

#include <fmt/format.h>

#include "drover/core/fleet/launch_moves.hpp"
#include "drover/core/worker/registration.hpp"

#include "batch.hpp"
#include "codec.hpp"
#include "rows.hpp"

namespace drover::postgres {
namespace {

using ports::Applied;
using ports::Outcome;

struct EventOf {
  WallTime at;
  std::string_view kind;
  std::string detail = {};
  std::optional<WorkerId> worker = {};
  std::optional<LaunchId> launch = {};
  std::optional<PoolId> pool = {};
};

void add_event(Batch& batch, const EventOf& event) {
  const std::int64_t base = batch.reserve_events(1);
  batch.wrote_event_after(base);
  batch.events.push_back({"write_event", Params::of(base + 1, event.at, batch.epoch, event.worker,
                                                    event.launch, event.pool, event.kind, event.detail)});
}

Outcome refused(Errc code, std::string message) {
  return Error{code, std::move(message)};
}

Result<std::vector<ports::WorkerRow>> workers_by_id(Batch& batch, const Column<WorkerId>& ids) {
  auto rows = batch.connection.run("write_workers_by_id", Params::of(ids));
  if (!rows) return rows.error();
  return read_all(*rows, read_worker);
}

Result<Outcome> worker_outcome(Batch& batch, WorkerId id, bool changed) {
  Column<WorkerId> ids;
  ids.push(id);
  auto workers = workers_by_id(batch, ids);
  if (!workers) return workers.error();
  if (workers->empty()) return Error{Errc::internal, "a worker vanished"};
  return Outcome(Applied(ports::WorkerChanged{std::move(workers->front()), changed}));
}

Result<Outcome> apply(Batch& batch, const ports::WakeJobs& wake) {
  auto rows = batch.connection.run("write_wake", Params::of(wake.now, std::int64_t{wake.limit}));
  if (!rows) return rows.error();
  ports::Woken woken;
  for (int r = 0; r < rows->size(); ++r) {
    ports::ReadyJob one;
    RowReader row = (*rows)[r];
    row >> one.queue >> one.key.rank >> one.key.number;
    one.suspect = row.get<Seconds>() > Seconds{0};
    woken.ready.push_back(std::move(one));
  }
  auto next = batch.connection.run("write_next_wake");
  if (!next) return next.error();
  if (!next->empty()) (*next)[0] >> woken.next;
  return Outcome(Applied(std::move(woken)));
}

Result<Outcome> apply(Batch& batch, const ports::InsertLaunch& launch) {
  const std::string text = encode_launch(launch.request);
  auto rows =
      batch.connection.run("write_launch", Params::of(launch.pool, launch.request.client_token, text,
                                                      launch.bootstrap_hash, launch.reason, launch.now));
  if (!rows) return rows.error();
  if (rows->empty()) return refused(Errc::conflict, "there is no such pool, or the client token is in use");
  const auto id = (*rows)[0].get<LaunchId>();
  add_event(batch, {launch.now, "launch_intended", launch.reason, {}, id, launch.pool});
  return Outcome(Applied(ports::LaunchInserted{id}));
}

Result<Outcome> apply(Batch& batch, const ports::RecordLaunch& record) {
  auto rows = batch.connection.run("write_launch_read", Params::of(record.launch));
  if (!rows) return rows.error();
  if (rows->empty())
    return refused(Errc::not_found, fmt::format("there is no launch {}", record.launch.value));
  RowReader row = (*rows)[0];
  const core::LaunchState state = core::after_told(row.get(core::parse_launch_state), record.state);
  const auto pool_id = row.get<PoolId>();
  const core::PoolSpec spec = decode_pool(row.get<std::string>());
  auto done = batch.connection.run(
      "write_launch_record", Params::of(record.launch, core::to_string(state), record.error, record.now));
  if (!done) return done.error();
  Column<std::string> ids, types, zones;
  Column<bool> spot;
  for (const core::Instance& instance : record.instances) {
    ids.push(instance.id), types.push(instance.type), zones.push(instance.zone), spot.push(instance.spot);
  }
  auto made = batch.connection.run(
      "write_launch_workers",
      Params::of(pool_id, record.launch, std::max(spec.slots, 1), record.now, ids, types, zones, spot));
  if (!made) return made.error();
  Column<WorkerId> added;
  for (int r = 0; r < made->size(); ++r) {
    const auto id = (*made)[r].get<WorkerId>();
    added.push(id);
    add_event(batch, {record.now, "worker_started", "", id, record.launch, pool_id});
  }
  add_event(batch, {record.now,
                    "launch_" + std::string(core::to_string(record.state)),
                    record.error,
                    {},
                    record.launch,
                    pool_id});
  auto workers = workers_by_id(batch, added);
  if (!workers) return workers.error();
  return Outcome(Applied(ports::WorkersAdded{std::move(*workers)}));
}

Result<Outcome> apply(Batch& batch, const ports::RegisterWorker& who) {
  auto rows = batch.connection.run("write_register_read", Params::of(who.bootstrap_hash, who.instance_id));
  if (!rows) return rows.error();
  if (rows->empty()) return refused(Errc::unauthenticated, "no launch has this bootstrap token");
  RowReader row = (*rows)[0];
  const auto launch = row.get<LaunchId>();
  const auto worker = row.get<std::optional<WorkerId>>();
  std::optional<core::RegistrationBrief> brief;
  if (worker) {
    brief.emplace();
    brief->state = row.get(core::parse_worker_state);
    brief->nonce = row.get<std::string>();
    brief->registered = row.get<bool>();
  }
  const core::RegistrationDecision decision = core::decide_registration(brief, who.nonce);
  switch (decision.kind) {
    case core::RegistrationDecision::Kind::not_yet:
      return Outcome(
          Error{Errc::unavailable,
                fmt::format("the cloud has not reported instance {} for its launch yet", who.instance_id),
                {},
                {},
                2});
    case core::RegistrationDecision::Kind::repeat:
      return worker_outcome(batch, *worker, false);
    case core::RegistrationDecision::Kind::refuse:
      return refused(Errc::conflict, fmt::format("instance {} {}", who.instance_id, decision.reason));
    case core::RegistrationDecision::Kind::accept:
      break;
  }
  const core::Resources& has = who.capacity;
  auto done = batch.connection.run(
      "write_register",
      Params::of(*worker, who.token_hash, who.nonce, who.slots, has.cpus, has.mem_mib, has.disk_mib, has.gpus,
                 who.hostname, who.version, who.now, core::to_string(decision.to)));
  if (!done) return done.error();
  add_event(batch, {who.now, "worker_registered", who.hostname, *worker, launch, {}});
  return worker_outcome(batch, *worker, true);
}

Result<Outcome> apply(Batch& batch, const ports::ChangeWorker& change) {
  auto rows = batch.connection.run("write_worker_read", Params::of(change.worker));
  if (!rows) return rows.error();
  if (rows->empty())
    return refused(Errc::not_found, fmt::format("there is no worker {}", change.worker.value));
  RowReader row = (*rows)[0];
  core::WorkerBrief brief;
  brief.state = row.get(core::parse_worker_state);
  row >> brief.registered >> brief.leased >> brief.noticed;
  const core::MoveDecision decision = core::decide_move(brief, change.move);
  switch (decision.kind) {
    case core::MoveDecision::Kind::nothing:
      return worker_outcome(batch, change.worker, false);
    case core::MoveDecision::Kind::refuse:
      return refused(Errc::conflict, fmt::format("cannot change worker {} ({}): {}", change.worker.value,
                                                 core::to_string(change.move), decision.reason));
    case core::MoveDecision::Kind::move:
      break;
  }
  auto done =
      batch.connection.run("write_worker_state", Params::of(change.worker, core::to_string(decision.to),
                                                            change.reason, change.now, change.notice_until));
  if (!done) return done.error();
  const std::string_view what =
      change.move == core::WorkerMove::notice ? "noticed" : core::to_string(decision.to);
  add_event(batch, {change.now, "worker_" + std::string(what), change.reason, change.worker, {}, {}});
  return worker_outcome(batch, change.worker, true);
}

Result<Outcome> apply(Batch& batch, const ports::TouchWorkers& touch) {
  Column<WorkerId> ids;
  Column<WallTime> times;
  for (const auto& [id, at] : touch.last_seen) ids.push(id), times.push(at);
  auto done = batch.connection.run("write_touch", Params::of(ids, times));
  if (!done) return done.error();
  return Outcome(Applied(Ok{}));
}

Result<Outcome> apply(Batch& batch, const ports::PutPool& put) {
  const std::string spec = encode_pool(put.spec);
  if (put.create) {
    auto made = batch.connection.run("write_pool_insert", Params::of(put.spec.name, spec, put.now));
    if (!made) return made.error();
    if (made->empty())
      return refused(Errc::conflict, fmt::format("there is a pool {} already", put.spec.name));
    ports::PoolRow pool = read_pool((*made)[0]);
    add_event(batch, {put.now, "pool_created", put.spec.name, {}, {}, pool.id});
    return Outcome(Applied(ports::PoolPut{std::move(pool)}));
  }
  auto present = batch.connection.run("write_pool_read", Params::of(put.spec.name));
  if (!present) return present.error();
  if (present->empty()) return refused(Errc::not_found, fmt::format("there is no pool {}", put.spec.name));
  const auto version = (*present)[0].get<std::int64_t>();
  if (put.version && *put.version != version) {
    return refused(Errc::conflict, fmt::format("pool {} was edited in the meantime: it has version {}",
                                               put.spec.name, version));
  }
  auto done =
      batch.connection.run("write_pool_update", Params::of(put.spec.name, spec, put.blocked_reason, put.now));
  if (!done) return done.error();
  ports::PoolRow pool = read_pool((*done)[0]);
  const bool blocked = !put.blocked_reason.empty();
  add_event(batch, {put.now, blocked ? "pool_blocked" : "pool_edited", put.blocked_reason, {}, {}, pool.id});
  return Outcome(Applied(ports::PoolPut{std::move(pool)}));
}

Result<Outcome> apply(Batch& batch, const ports::SetPaused& set) {
  auto done = batch.connection.run("write_paused", Params::of(set.paused, set.now));
  if (!done) return done.error();
  add_event(batch, {set.now, set.paused ? "paused" : "resumed"});
  return Outcome(Applied(Ok{}));
}

Result<Outcome> apply(Batch& batch, const ports::PutSettings& put) {
  Column<std::string> keys, values;
  std::string changed;
  for (const auto& [key, value] : put.values) {
    keys.push(key), values.push(value);
    changed += (changed.empty() ? "" : " ") + key;
  }
  auto done = batch.connection.run("write_settings", Params::of(keys, values, put.now));
  if (!done) return done.error();
  add_event(batch, {put.now, "settings", changed});
  return Outcome(Applied(Ok{}));
}

Status write_artifacts(Batch& batch) {
  Column<JobNumber> number;
  Column<int> attempt;
  Column<Sha256> token, hash;
  Column<std::string> name;
  Column<std::int64_t> size;
  Column<WallTime> at;
  std::map<std::int64_t, std::size_t> waiting;
  for (std::size_t i = 0; i < batch.commands.size(); ++i) {
    const auto* put = std::get_if<ports::PutArtifact>(&batch.commands[i]);
    if (put == nullptr) continue;
    number.push(put->job), attempt.push(put->attempt), token.push(put->token_hash), name.push(put->name);
    size.push(put->size), hash.push(put->sha256), at.push(put->now);
    waiting[put->job.value] = i;
  }
  if (waiting.empty()) return Ok{};
  const std::int64_t base = batch.reserve_events(waiting.size());
  auto rows =
      batch.connection.run("write_artifact", Params::of(number, attempt, token, name, size, hash, at, base,
                                                        batch.epoch, ports::kArtifactsOfAttempt));
  if (!rows) return rows.error();
  for (int r = 0; r < rows->size(); ++r) {
    RowReader row = (*rows)[r];
    const auto found = waiting.find(row.get<std::int64_t>());
    if (row.get<bool>()) {
      batch.wrote_event_after(base);
    } else {
      batch.outcomes[found->second] = refused(
          Errc::too_large, fmt::format("an attempt has at most {} artifacts", ports::kArtifactsOfAttempt));
    }
    waiting.erase(found);
  }
  for (const auto& [job, i] : waiting) {
    const int tried = std::get<ports::PutArtifact>(batch.commands[i]).attempt;
    batch.outcomes[i] =
        refused(Errc::stale, fmt::format("attempt {} of job {} is not open with this token", tried, job));
  }
  return Ok{};
}

template <class C>
constexpr bool kWrittenInSets = std::is_same_v<C, ports::InsertJobs> ||
                                std::is_same_v<C, ports::EndAttempt> || std::is_same_v<C, ports::ChangeJob> ||
                                std::is_same_v<C, ports::ClaimJob> || std::is_same_v<C, ports::PutArtifact>;

}  // namespace

Status write_fleet(Batch& batch) {
  if (auto done = write_artifacts(batch); !done) return done;
  for (std::size_t i = 0; i < batch.commands.size(); ++i) {
    std::optional<Error> failure;
    std::visit(
        [&]<class C>(const C& command) {
          if constexpr (!kWrittenInSets<C>) {
            auto outcome = apply(batch, command);
            if (outcome) {
              batch.outcomes[i] = std::move(*outcome);
            } else {
              failure = outcome.error();
            }
          }
        },
        batch.commands[i]);
    if (failure) return *failure;
  }
  if (batch.events.empty()) return Ok{};
  auto written = batch.connection.pipeline(batch.events);
  if (!written) return written.error();
  return Ok{};
}

}  // namespace drover::postgres
