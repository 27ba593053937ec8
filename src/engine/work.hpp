#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "drover/ports/changes.hpp"

#include "inbox.hpp"

namespace drover::engine {

// One change on its way to the store, whatever its kind.
struct Work {
  ports::Lane lane = ports::Lane::system;
  ports::Keys keys;  // at most one work per key is in a batch; the next with it waits
  // Called when the batch is formed, with all earlier batches remembered, so that it decides on the present
  // state. An Error or nullopt from it ends the work without a change.
  std::function<Result<std::optional<ports::Change>>()> make;
  std::function<void(ports::Settled)> done;  // after the commit
  std::function<void(const Error&)> fail;    // it was not carried out; also make's Error
  std::size_t rows = 1;
  std::size_t bytes = 0;    // of the text that it writes
  std::size_t numbers = 0;  // of jobs, that it takes when it is made
  Place place = {};         // dropped when it is made
  bool again = true;        // made anew in the next term when its transaction was found not to be committed
};

template <class C>
using Make = std::function<Result<std::optional<C>>()>;
template <class C>
using Told = std::function<void(Result<ports::AnswerOf<C>>)>;

template <class C>
Work work_of(ports::Keys keys, Make<C> make, Told<C> told) {
  Work work;
  work.lane = C::kLane;
  work.keys = std::move(keys);
  work.make = [make = std::move(make)]() -> Result<std::optional<ports::Change>> {
    auto made = make();
    if (!made.ok()) return made.error();
    if (!*made) return std::optional<ports::Change>();
    return std::optional<ports::Change>(std::move(**made));
  };
  work.done = [told](ports::Settled settled) { told(std::move(ports::result_of<C>(settled))); };
  work.fail = [told](const Error& error) { told(error); };
  return work;
}

// A change that is known from the start.
template <class C>
Work work_of(C change, Told<C> told) {
  ports::Keys keys = change.keys();
  return work_of<C>(
      std::move(keys), [change = std::move(change)] { return Result<std::optional<C>>(change); },
      std::move(told));
}

// The same work, which holds its call's place in the lane until it is made.
inline Work at(Place place, Work work) {
  work.place = std::move(place);
  return work;
}

}  // namespace drover::engine
