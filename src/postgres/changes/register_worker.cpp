#include <fmt/format.h>

#include "drover/core/worker/registration.hpp"

#include "changes/workers.hpp"

namespace drover::postgres {

using ports::RegisterWorker;

template <>
class Writer<RegisterWorker> final : public WriterOf<RegisterWorker> {
 public:
  using WriterOf::WriterOf;

  // Written before the moves of the same batch read their workers.
  void ask(Round round, Trip& trip) override {
    asked_.reset();
    if (round == Round::first) asked_ = trip.add(read());
    if (round == Round::second && !accepted_.empty()) trip.add(write());
    if (round == Round::last && !known_.empty()) asked_ = trip.add(read_back());
    if (round == Round::last) events_.write(batch_, trip);
  }

  void hear(Round round, const Trip& trip) override {
    if (!asked_) return;
    if (round == Round::first) decide(trip.at(*asked_));
    if (round == Round::last) answer_all(trip.at(*asked_));
  }

 private:
  struct Seen {
    LaunchId launch;
    std::optional<WorkerId> worker;
    std::optional<core::RegistrationBrief> brief;
  };
  struct Known {
    WorkerId worker;
    bool changed = false;
  };
  [[nodiscard]] Statement read() const;
  void decide(const Rows& rows);
  void decide(std::size_t item, const Seen& seen);
  [[nodiscard]] Statement write() const;
  [[nodiscard]] Statement read_back() const;
  void answer_all(const Rows& rows);

  std::map<std::size_t, core::WorkerState> accepted_;  // by item: what the worker becomes
  std::map<std::size_t, Known> known_;                 // by item: repeated ones too
  Events events_;
};

Statement Writer<RegisterWorker>::read() const {
  Column<Sha256> hash;
  Column<std::string> instance;
  for (const std::size_t item : items_) {
    hash.push(change(item).bootstrap_hash), instance.push(change(item).instance_id);
  }
  return {"write_register_read", Params::of(hash, instance)};
}

void Writer<RegisterWorker>::decide(const Rows& rows) {
  std::map<std::int64_t, Seen> seen;  // by place in the question, from 1
  for (int r = 0; r < rows.size(); ++r) {
    RowReader row = rows[r];
    Seen& one = seen[row.get<std::int64_t>("place")];
    row.read("launch", one.launch).read("worker", one.worker);
    if (!one.worker) continue;
    one.brief.emplace();
    one.brief->state = row.get("state", core::parse_worker_state);
    row.read("nonce", one.brief->nonce).read("registered", one.brief->registered);
  }
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const auto found = seen.find(static_cast<std::int64_t>(i) + 1);
    if (found == seen.end()) {
      refuse(items_[i], unauthenticated("no launch has this bootstrap token"));
    } else {
      decide(items_[i], found->second);
    }
  }
}

void Writer<RegisterWorker>::decide(std::size_t item, const Seen& seen) {
  using Kind = core::RegistrationDecision::Kind;
  const RegisterWorker& who = change(item);
  const core::RegistrationDecision decision = core::decide_registration(seen.brief, who.nonce);
  switch (decision.kind) {
    case Kind::not_yet:
      return refuse(item, unavailable(fmt::format("the cloud has not reported instance {} for its launch yet",
                                                  who.instance_id),
                                      2));
    case Kind::refuse:
      return refuse(item, conflict(fmt::format("instance {} {}", who.instance_id, decision.reason)));
    case Kind::repeat:
      known_[item] = {*seen.worker, false};
      return;
    case Kind::accept:
      known_[item] = {*seen.worker, true};
      accepted_[item] = decision.to;
      events_.add(who.now, "worker_registered", who.hostname, seen.worker, seen.launch);
      return;
  }
}

Statement Writer<RegisterWorker>::write() const {
  Column<WorkerId> id;
  Column<Sha256> hash;
  Column<std::string> nonce, hostname, version;
  Column<int> slots, gpus;
  Column<double> cpus;
  Column<std::int64_t> mem, disk;
  Column<WallTime> at;
  Column<std::string_view> state;
  for (const auto& [item, to] : accepted_) {
    const RegisterWorker& who = change(item);
    const core::Resources& has = who.capacity;
    id.push(known_.at(item).worker), hash.push(who.token_hash), nonce.push(who.nonce), slots.push(who.slots);
    cpus.push(has.cpus), mem.push(has.mem_mib), disk.push(has.disk_mib), gpus.push(has.gpus);
    hostname.push(who.hostname), version.push(who.version), at.push(who.now);
    state.push(core::to_string(to));
  }
  return {"write_register",
          Params::of(id, hash, nonce, slots, cpus, mem, disk, gpus, hostname, version, at, state)};
}

Statement Writer<RegisterWorker>::read_back() const {
  Column<WorkerId> ids;
  for (const auto& [item, known] : known_) ids.push(known.worker);
  return {"write_workers_by_id", Params::of(ids)};
}

void Writer<RegisterWorker>::answer_all(const Rows& rows) {
  const auto workers = take_workers(rows);
  for (const auto& [item, known] : known_) answer(item, {workers.at(known.worker), known.changed});
}

DROVER_WRITES(ports::RegisterWorker)

}  // namespace drover::postgres
