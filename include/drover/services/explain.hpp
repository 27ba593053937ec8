#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/engine/engine.hpp"
#include "drover/ports/fleet_board.hpp"
#include "drover/ports/reads.hpp"
#include "drover/services/jobs.hpp"
#include "drover/services/principal.hpp"

namespace drover::services {

// One reason why a job is in its state: a code for programs, a sentence for people, and the figures in it.
struct Reason {
  using Value = std::variant<std::monostate, std::int64_t, std::string>;  // monostate: not known
  std::string code;
  std::string message;
  std::vector<std::pair<std::string, Value>> facts;

  Reason& set(std::string name, Value value) {
    facts.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

struct Explanation {
  JobNumber number;
  core::JobState state = core::JobState::queued;
  std::vector<Reason> reasons;  // never empty; the first one has to be resolved first
};

struct ExplainInput {
  ports::JobRow job;
  std::optional<engine::EngineView> view;  // needed for queued jobs
  ports::FleetNotes notes;
  std::optional<engine::JobPlace> place;
  WallTime now;
};

// Why a job is where it is. Pure.
Explanation explain_job(const ExplainInput& input);

// Gathers what explain_job() needs. Thread-safe.
class Explain {
 public:
  virtual ~Explain() = default;
  // Blocks on the store, then asks the engine where a queued job stands in its queue; without an answer
  // `place` stays absent.
  virtual void look(const Principal& who, const JobKey& key, engine::Done<ExplainInput> done) = 0;
};

// The arguments must outlive the answer; `board` may be absent.
std::unique_ptr<Explain> make_explain(engine::Engine& engine, Jobs& jobs, const ports::FleetBoard* board,
                                      const Clock& clock);

}  // namespace drover::services
