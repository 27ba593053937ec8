#include "drover/core/job/job.hpp"

#include <array>

#include "names.hpp"

namespace drover::core {
namespace {

// By number, from 1, as Linux has them on every machine that EC2 offers.
constexpr std::array<std::string_view, 31> kSignals{
    "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",  "SIGFPE",
    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT",
    "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",  "SIGXCPU",
    "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS"};

constexpr Names<JobState, 9> kJobStates{
    {"blocked", "queued", "running", "stopping", "held", "suspended", "succeeded", "failed", "cancelled"}};
constexpr Names<Outcome, 6> kOutcomes{
    {"succeeded", "failure", "interruption", "infra", "stopped", "returned"}};

}  // namespace

std::string_view to_string(JobState state) {
  return kJobStates.of(state);
}
std::optional<JobState> parse_job_state(std::string_view text) {
  return kJobStates.parse(text);
}
std::span<const std::string_view> job_state_names() {
  return kJobStates.names;
}

std::string_view to_string(Outcome outcome) {
  return kOutcomes.of(outcome);
}
std::optional<Outcome> parse_outcome(std::string_view text) {
  return kOutcomes.parse(text);
}

std::string failure_reason(std::optional<int> exit_code, std::optional<int> signal) {
  if (signal) {
    std::string text = "killed by signal " + std::to_string(*signal);
    if (*signal < 1 || *signal > static_cast<int>(kSignals.size())) return text;
    return text + " (" + std::string(kSignals[static_cast<std::size_t>(*signal - 1)]) + ")";
  }
  return exit_code ? "exit code " + std::to_string(*exit_code) : std::string();
}

JobState visible_state(const JobBrief& job) {
  if (!job.leased) return job.stored;
  return job.wanted == JobState::held || job.wanted == JobState::cancelled ? JobState::stopping
                                                                           : JobState::running;
}

}  // namespace drover::core
