#pragma once

#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "drover/base/result.hpp"
#include "drover/ports/changes/act_on_job.hpp"
#include "drover/ports/changes/claim_job.hpp"
#include "drover/ports/changes/end_attempt.hpp"
#include "drover/ports/changes/insert_jobs.hpp"
#include "drover/ports/changes/insert_launch.hpp"
#include "drover/ports/changes/move_worker.hpp"
#include "drover/ports/changes/put_artifact.hpp"
#include "drover/ports/changes/put_pool.hpp"
#include "drover/ports/changes/put_settings.hpp"
#include "drover/ports/changes/record_launch.hpp"
#include "drover/ports/changes/register_worker.hpp"
#include "drover/ports/changes/set_paused.hpp"
#include "drover/ports/changes/touch_workers.hpp"
#include "drover/ports/changes/wake_jobs.hpp"

// All that changes what is stored. Only the engine's pipeline submits them; each carries its precondition,
// and one whose precondition no longer holds is refused (conflict, stale, not_found) and changes nothing.
namespace drover::ports {

namespace detail {
consteval bool all_differ(std::initializer_list<std::string_view> names) {
  for (const auto* a = names.begin(); a != names.end(); ++a) {
    for (const auto* b = a + 1; b != names.end(); ++b) {
      if (*a == *b) return false;
    }
  }
  return true;
}
}  // namespace detail

template <class... Cs>
struct ListOfChanges {
  static_assert(detail::all_differ({Cs::kName...}));
  using Change = std::variant<Cs...>;
  using Settled = std::variant<Result<typename Cs::Answer>...>;
};

// Within a transaction the kinds run in this order.
using Changes =
    ListOfChanges<EndAttempt, InsertJobs, ActOnJob, PutArtifact, WakeJobs, ClaimJob, RegisterWorker,
                  MoveWorker, TouchWorkers, InsertLaunch, RecordLaunch, PutPool, PutSettings, SetPaused>;
using Change = Changes::Change;
// How a change went: its answer, or the Error that refused it. The same alternative as the change's own.
using Settled = Changes::Settled;

inline constexpr std::size_t kChanges = std::variant_size_v<Change>;
template <std::size_t I>
using ChangeAt = std::variant_alternative_t<I, Change>;
template <class C>
using AnswerOf = typename C::Answer;

namespace detail {
template <class C, std::size_t I = 0>
consteval std::size_t index_of() {
  if constexpr (std::is_same_v<C, ChangeAt<I>>) {
    return I;
  } else {
    return index_of<C, I + 1>();
  }
}
}  // namespace detail
// The place of a change in the list.
template <class C>
inline constexpr std::size_t kIndexOf = detail::index_of<C>();

template <class C>
Settled settled(Result<AnswerOf<C>> result) {
  return Settled(std::in_place_index<kIndexOf<C>>, std::move(result));
}
template <class C>
Result<AnswerOf<C>>& result_of(Settled& settled) {
  return std::get<kIndexOf<C>>(settled);
}
template <class C>
const Result<AnswerOf<C>>& result_of(const Settled& settled) {
  return std::get<kIndexOf<C>>(settled);
}

inline std::string_view name_of(const Change& change) {
  return std::visit([]<class C>(const C&) { return C::kName; }, change);
}
inline Settled refused(const Change& change, Error error) {
  return std::visit([&]<class C>(const C&) { return settled<C>(std::move(error)); }, change);
}
// nullptr: it was carried out.
inline const Error* refusal(const Settled& settled) {
  return std::visit([](const auto& result) { return result.ok() ? nullptr : &result.error(); }, settled);
}

}  // namespace drover::ports
