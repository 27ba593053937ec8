#include "drover/core/job.hpp"

#include "names.hpp"

namespace drover::core {
namespace {

constexpr Names<JobState, 9> kJobStates{
    {"blocked", "queued", "running", "stopping", "held", "suspended", "succeeded", "failed", "cancelled"}};
constexpr Names<Outcome, 5> kOutcomes{{"succeeded", "failure", "interruption", "infra", "stopped"}};
constexpr Names<JobAction, 4> kActions{{"hold", "release", "cancel", "requeue"}};

}  // namespace

std::string_view to_string(JobState state) {
  return kJobStates.of(state);
}
std::optional<JobState> parse_job_state(std::string_view text) {
  return kJobStates.parse(text);
}

std::string_view to_string(Outcome outcome) {
  return kOutcomes.of(outcome);
}
std::optional<Outcome> parse_outcome(std::string_view text) {
  return kOutcomes.parse(text);
}

std::string_view to_string(JobAction action) {
  return kActions.of(action);
}
std::optional<JobAction> parse_job_action(std::string_view text) {
  return kActions.parse(text);
}

}  // namespace drover::core
