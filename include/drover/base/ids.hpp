#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "drover/base/clock.hpp"

namespace drover {

// An integer key that does not convert to another kind of key.
template <class Tag>
struct Id {
  std::int64_t value = 0;
  auto operator<=>(const Id&) const = default;
};

using JobNumber = Id<struct JobNumberTag>;  // increasing, not gapless, from 1
using WorkerId = Id<struct WorkerIdTag>;    // one machine
using LaunchId = Id<struct LaunchIdTag>;    // one intent = one cloud call
using PoolId = Id<struct PoolIdTag>;

// 128 bits, shown as 8-4-4-4-12 lower-case hex.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
};

std::string to_string(const Uuid& id);
// Any case; nothing but the 36-character form.
std::optional<Uuid> parse_uuid(std::string_view text);

// A UUIDv7 (RFC 9562 §5.7) whose last 48 bits hold the job's number, so that the UUID alone says which row to
// look for. `entropy` gives the 26 random bits that remain. 1 <= number < 2^48.
Uuid make_job_id(JobNumber number, WallTime created, std::uint32_t entropy);
// The number that make_job_id put there; nullopt for a UUID of another version or number 0.
std::optional<JobNumber> number_in(const Uuid& id);
// A random UUID (version 4), for a deployment.
Uuid make_random_uuid();

}  // namespace drover

template <class Tag>
struct std::hash<drover::Id<Tag>> {
  std::size_t operator()(const drover::Id<Tag>& id) const noexcept {
    return std::hash<std::int64_t>{}(id.value);
  }
};
