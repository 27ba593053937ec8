#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "changes/in_engine.hpp"
#include "inbox.hpp"
#include "parts.hpp"
#include "suspects.hpp"

// The calls of the engine's interface that lead to a change each, in the file of the change.
namespace drover::engine {

void submit(Parts& parts, Place place, std::vector<core::JobSpec> specs,
            const Done<std::vector<Submitted>>& done);
// A registration with the token that it leads to. Made on the thread that received it, so that the hashing
// takes no time of the engine's thread.
struct HashedRegistration {
  explicit HashedRegistration(const Registration& registration);
  ports::RegisterWorker change;
  Secret token;
};
void register_worker(Parts& parts, Place place, HashedRegistration registration,
                     const Done<Registered>& done);
void report(Parts& parts, Place place, const Report& report, const Done<ReportAnswer>& done);
void put_artifact(Parts& parts, Place place, const WorkerAuth& auth, ports::PutArtifact put,
                  const Token& token, const Done<Ok>& done);

// Adds a change as it was asked for, if admit() allows it when its batch is formed.
template <class C>
void apply(Parts& parts, Place place, const C& change, Told<C> told) {
  auto make = [&parts, change]() -> Result<std::optional<C>> {
    if (const Status may = admit(parts.state, change); !may.ok()) return may.error();
    return std::optional(change);
  };
  parts.pipeline.add(at(std::move(place), work_of<C>(change.keys(), std::move(make), std::move(told))));
}

// The end of an attempt as memory holds it, decided by core.
[[nodiscard]] ports::EndAttempt end_of(const ports::OpenAttempt& attempt, core::Outcome outcome,
                                       std::string reason, const Break& broken, WallTime now);
// The same for a lease, which counts as handed to the writer from now on.
[[nodiscard]] ports::EndAttempt make_end(Parts& parts, Lease& lease, core::Outcome outcome,
                                         std::string reason, const Break& broken);
// The end was not carried out: the attempt is still open, and is renewed by what was heard of it meanwhile.
void end_refused(Parts& parts, JobNumber job, int attempt);
// Ends the attempt, if it is open still when the batch is formed.
void stage_end(Parts& parts, JobNumber job, int attempt, core::Outcome outcome, const std::string& reason,
               const Break& broken, const std::function<void(const Status&)>& done);

}  // namespace drover::engine
