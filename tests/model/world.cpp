#include "world.hpp"

#include <algorithm>
#include <utility>

namespace drover::model {
namespace {

// Shows every member to `see`, in one order, for packing and unpacking.
template <class W, class See>
void each_member(W& world, See see) {
  for (auto& job : world.jobs) {
    see(job.stored), see(job.attempts), see(job.failures), see(job.infra), see(job.interruptions);
    see(job.infra_gone), see(job.infra_here), see(job.ended), see(job.tokens);
    see(job.true_failures), see(job.true_infra), see(job.true_interruptions), see(job.cancelled);
    see(job.lease.attempt), see(job.lease.token), see(job.lease.wanted), see(job.lease.age);
  }
  for (auto& machine : world.machines) {
    see(machine.instance), see(machine.worker), see(machine.process), see(machine.quiet),
        see(machine.noticed);
    see(machine.cordon), see(machine.run.phase), see(machine.run.job), see(machine.run.attempt);
    see(machine.run.token);
  }
  see(world.late.there), see(world.late.job), see(world.late.attempt), see(world.late.token);
  see(world.late.outcome), see(world.leading), see(world.paused), see(world.launch), see(world.ready);
  see(world.reading), see(world.pausing), see(world.faults);
}
template <class W, class See>
void each_change(W& world, See see) {
  for (auto& job : world.jobs) see(job.flying);
  for (auto& change : world.waiting) see(change);
}
// Whatever speaks of an attempt: shows its job, its number and its token.
template <class See>
void each_mention(World& world, See see) {
  for (int index = 0; index < kJobs; ++index) {
    Lease& lease = world.jobs[static_cast<std::size_t>(index)].lease;
    if (lease.open) see(index, lease.attempt, lease.token);
  }
  if (world.late.there) see(world.late.job, world.late.attempt, world.late.token);
  for (Machine& machine : world.machines) {
    if (machine.run.phase != Phase::none) see(machine.run.job, machine.run.attempt, machine.run.token);
  }
  each_change(world, [&](Change& change) {
    if (is_end(change.kind)) see(change.job, change.attempt, change.token);
  });
}

// The lease's holder, its flags and whether it is open share the byte of its age.
constexpr int kHolderShift = 2;
constexpr int kOpenBit = 0x10;
constexpr int kUndeliveredBit = 0x20;
constexpr int kAgainBit = 0x40;

Byte pack_lease(const Lease& lease) {
  if (!lease.open) return 0;
  return static_cast<Byte>(kOpenBit | (lease.undelivered ? kUndeliveredBit : 0) |
                           (lease.again ? kAgainBit : 0) | (lease.machine << kHolderShift) | lease.age);
}
void unpack_lease(Byte byte, Lease& out) {
  out.open = (byte & kOpenBit) != 0;
  out.undelivered = (byte & kUndeliveredBit) != 0;
  out.again = (byte & kAgainBit) != 0;
  out.machine = static_cast<Byte>((byte >> kHolderShift) & 1);
  out.age = byte & 3;
}

void pack_change(const Change& change, Byte* out) {
  out[0] = static_cast<Byte>(static_cast<int>(change.kind) << 3 | change.job << 2 | change.machine << 1 |
                             (change.put_off ? 1 : 0));
  out[1] = static_cast<Byte>(change.attempt << 4 | change.token);
  out[2] = static_cast<Byte>(static_cast<int>(change.outcome) << 4 | static_cast<int>(change.action));
  out[3] = static_cast<Byte>(change.wanted);
}
Change unpack_change(const Byte* bytes) {
  Change out;
  out.kind = static_cast<Change::Kind>(bytes[0] >> 3);
  out.job = (bytes[0] >> 2) & 1;
  out.machine = (bytes[0] >> 1) & 1;
  out.put_off = (bytes[0] & 1) != 0;
  out.attempt = bytes[1] >> 4;
  out.token = bytes[1] & 0xf;
  out.outcome = static_cast<core::Outcome>(bytes[2] >> 4);
  out.action = static_cast<core::JobAction>(bytes[2] & 0xf);
  out.wanted = static_cast<core::JobState>(bytes[3]);
  return out;
}

// A row is one byte.
Byte pack_row(const Row& row) {
  if (!row.there) return 0;
  return static_cast<Byte>(0x80 | (row.token << 3) | static_cast<int>(row.outcome));
}
Row unpack_row(Byte byte) {
  if (byte == 0) return {};
  return Row{true, static_cast<Byte>((byte >> 3) & 0xf), static_cast<core::Outcome>(byte & 7)};
}

void lower(Byte& a, Byte& b, Byte by) {
  a = static_cast<Byte>(a - by);
  b = static_cast<Byte>(b - by);
}

// Forgets rows that nobody can ask for, and counts attempts from the first that matters.
void shorten(World& world) {
  std::array<int, kJobs> first{};
  std::array<unsigned, kJobs> spoken_of{};  // a bit for each attempt
  for (std::size_t j = 0; j < kJobs; ++j) {
    Job& job = world.jobs[j];
    // Nothing is asked of the number of interruptions but that it is true.
    lower(job.interruptions, job.true_interruptions, std::min(job.interruptions, job.true_interruptions));
    first[j] = std::min({job.attempts, job.ended, job.tokens});
  }
  each_mention(world, [&](int job, Byte attempt, Byte token) {
    const auto j = static_cast<std::size_t>(job);
    first[j] = std::min({first[j], attempt - 1, token - 1});
    spoken_of[j] |= 1U << attempt;
  });
  for (int& by : first) by = std::max(by, 0);
  each_mention(world, [&](int job, Byte& attempt, Byte& token) {
    lower(attempt, token, static_cast<Byte>(first[static_cast<std::size_t>(job)]));
  });
  for (std::size_t j = 0; j < kJobs; ++j) {
    Job& job = world.jobs[j];
    for (unsigned attempt = 0; attempt < kRows; ++attempt) {
      if ((spoken_of[j] >> attempt & 1U) == 0) job.rows[attempt] = {};
    }
    if (first[j] == 0) continue;
    const auto by = static_cast<Byte>(first[j]);
    lower(job.attempts, job.tokens, by);
    job.ended = static_cast<Byte>(job.ended - by);
    std::rotate(job.rows.begin(), job.rows.begin() + by, job.rows.end());
    for (Row& row : job.rows) {
      if (row.token > 0) row.token = static_cast<Byte>(row.token - by);
    }
  }
}

void swap_machines(World& world) {
  std::swap(world.machines[0], world.machines[1]);
  for (Job& job : world.jobs) {
    if (job.lease.open) job.lease.machine = static_cast<Byte>(1 - job.lease.machine);
    job.infra_here = static_cast<Byte>(((job.infra_here & 1) << 1) | (job.infra_here >> 1));
  }
  each_change(world, [](Change& change) {
    const bool of_machine = change.kind == Change::Kind::claim || change.kind == Change::Kind::report;
    if (of_machine) change.machine = static_cast<Byte>(1 - change.machine);
  });
}

Packed bytes_of(const World& world) {
  Packed out{};
  Byte* at = out.data();
  each_member(world, [&](const auto& member) { *at++ = static_cast<Byte>(member); });
  for (std::size_t j = 0; j < kJobs; ++j) {
    out[j * kJobSize + kLeaseAt] = pack_lease(world.jobs[j].lease);
    for (const Row& row : world.jobs[j].rows) *at++ = pack_row(row);
  }
  each_change(world, [&](const Change& change) {
    pack_change(change, at);
    at += kChangeSize;
  });
  return out;
}

}  // namespace

Packed pack(World world) {
  shorten(world);
  const Packed one = bytes_of(world);
  swap_machines(world);
  const Packed other = bytes_of(world);
  return std::min(one, other);
}

World unpack(const Packed& bytes) {
  World out;
  std::size_t at = 0;
  each_member(out, [&](auto& member) { member = static_cast<std::decay_t<decltype(member)>>(bytes[at++]); });
  for (std::size_t j = 0; j < kJobs; ++j) {
    unpack_lease(bytes[j * kJobSize + kLeaseAt], out.jobs[j].lease);
    for (Row& row : out.jobs[j].rows) row = unpack_row(bytes[at++]);
  }
  each_change(out, [&](Change& change) {
    change = unpack_change(&bytes[at]);
    at += kChangeSize;
  });
  return out;
}

bool in_flight(const World& world) {
  const auto flies = [](const Job& job) { return job.flying.kind != Change::Kind::none; };
  const auto moves = [](const Machine& machine) { return machine.cordon; };
  return world.reading == Reading::flying || world.pausing ||
         std::any_of(world.jobs.begin(), world.jobs.end(), flies) ||
         std::any_of(world.machines.begin(), world.machines.end(), moves);
}

}  // namespace drover::model
