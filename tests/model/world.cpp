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
    see(job.infra_gone), see(job.infra_here), see(job.ready), see(job.ended), see(job.tokens);
    see(job.true_failures), see(job.true_infra), see(job.true_interruptions), see(job.cancelled);
    see(job.lease.attempt), see(job.lease.token), see(job.lease.wanted), see(job.lease.age);
  }
  for (auto& machine : world.machines) {
    see(machine.instance), see(machine.worker), see(machine.process), see(machine.quiet),
        see(machine.noticed);
    see(machine.staged), see(machine.cordon), see(machine.run.phase), see(machine.run.job);
    see(machine.run.attempt), see(machine.run.token);
  }
  see(world.late.there), see(world.late.job), see(world.late.attempt), see(world.late.token);
  see(world.late.outcome), see(world.leading), see(world.paused), see(world.launch), see(world.faults);
}

// The lease's holder and whether it is open share the byte of its age; a row is one byte.
constexpr int kOpenBit = 0x10;
constexpr int kHolderShift = 2;

Byte pack_row(const Row& row) {
  if (!row.there) return 0;
  return static_cast<Byte>(0x80 | (row.token << 3) | static_cast<int>(row.outcome));
}
Row unpack_row(Byte byte) {
  if (byte == 0) return {};
  return Row{true, static_cast<Byte>((byte >> 3) & 0xf), static_cast<core::Outcome>(byte & 7)};
}

bool spoken_of(const World& world, int job, int attempt) {
  if (world.late.there && world.late.job == job && world.late.attempt == attempt) return true;
  return std::any_of(world.machines.begin(), world.machines.end(), [&](const Machine& machine) {
    return machine.run.phase != Phase::none && machine.run.job == job && machine.run.attempt == attempt;
  });
}

void lower(Byte& a, Byte& b, Byte by) {
  a = static_cast<Byte>(a - by);
  b = static_cast<Byte>(b - by);
}

// Forgets rows that nobody can ask for, and counts attempts from the first that matters.
void shorten(World& world, int index) {
  Job& job = world.jobs[static_cast<std::size_t>(index)];
  for (int attempt = 0; attempt < kRows; ++attempt) {
    Row& row = job.rows[static_cast<std::size_t>(attempt)];
    if (row.there && !spoken_of(world, index, attempt)) row = {};
  }
  // Nothing is asked of the number of interruptions but that it is true.
  lower(job.interruptions, job.true_interruptions, std::min(job.interruptions, job.true_interruptions));
  int first = std::min({job.attempts, job.ended, job.tokens});
  const auto keep = [&](bool there, Byte attempt, Byte token) {
    if (there) first = std::min({first, attempt - 1, token - 1});
  };
  keep(job.lease.open, job.lease.attempt, job.lease.token);
  keep(world.late.there && world.late.job == index, world.late.attempt, world.late.token);
  for (const Machine& machine : world.machines) {
    keep(machine.run.phase != Phase::none && machine.run.job == index, machine.run.attempt,
         machine.run.token);
  }
  if (first <= 0) return;
  const auto by = static_cast<Byte>(first);
  lower(job.attempts, job.tokens, by);
  job.ended = static_cast<Byte>(job.ended - by);
  if (job.lease.open) lower(job.lease.attempt, job.lease.token, by);
  if (world.late.there && world.late.job == index) lower(world.late.attempt, world.late.token, by);
  for (Machine& machine : world.machines) {
    if (machine.run.phase != Phase::none && machine.run.job == index) {
      lower(machine.run.attempt, machine.run.token, by);
    }
  }
  std::rotate(job.rows.begin(), job.rows.begin() + by, job.rows.end());
  for (Row& row : job.rows) {
    if (row.there) row.token = static_cast<Byte>(row.token - by);
  }
}

void swap_machines(World& world) {
  std::swap(world.machines[0], world.machines[1]);
  for (Job& job : world.jobs) {
    if (job.lease.open) job.lease.machine = static_cast<Byte>(1 - job.lease.machine);
    job.infra_here = static_cast<Byte>(((job.infra_here & 1) << 1) | (job.infra_here >> 1));
  }
}

Packed bytes_of(const World& world) {
  Packed out{};
  Byte* at = out.data();
  each_member(world, [&](const auto& member) { *at++ = static_cast<Byte>(member); });
  for (std::size_t j = 0; j < kJobs; ++j) {
    const Lease& lease = world.jobs[j].lease;
    const std::size_t age_at = j * 18 + 17;
    if (lease.open) out[age_at] = static_cast<Byte>(lease.age | kOpenBit | (lease.machine << kHolderShift));
    for (const Row& row : world.jobs[j].rows) *at++ = pack_row(row);
  }
  return out;
}

}  // namespace

Packed pack(World world) {
  for (int job = 0; job < kJobs; ++job) shorten(world, job);
  const Packed one = bytes_of(world);
  swap_machines(world);
  const Packed other = bytes_of(world);
  return std::min(one, other);
}

World unpack(const Packed& bytes) {
  World out;
  std::size_t at = 0;
  each_member(out, [&](auto& member) { member = static_cast<std::decay_t<decltype(member)>>(bytes[at++]); });
  for (Job& job : out.jobs) {
    const Byte age = job.lease.age;
    job.lease.open = (age & kOpenBit) != 0;
    job.lease.machine = static_cast<Byte>((age >> kHolderShift) & 1);
    job.lease.age = age & 3;
    for (Row& row : job.rows) row = unpack_row(bytes[at++]);
  }
  return out;
}

}  // namespace drover::model
