#include "drover/core/classify.hpp"

#include <array>

namespace drover::core {
namespace {

struct Rule {
  bool (*matches)(const MachineEnd&);
  Outcome outcome;
  bool counts_against_image;
  const char* text;
};

bool asked_for(const MachineEnd& end) {
  return end.worker == WorkerState::terminating;
}
bool spot_taken(const MachineEnd& end) {
  return end.state_reason.starts_with("Server.Spot");
}
bool cloud_side(const MachineEnd& end) {
  return end.state_reason.starts_with("Server.");
}
bool by_user(const MachineEnd& end) {
  return end.state_reason.starts_with("Client.UserInitiated");
}
bool client_side(const MachineEnd& end) {
  return end.state_reason.starts_with("Client.");
}
bool anything(const MachineEnd&) {
  return true;
}

constexpr std::array kRules{
    // We or an operator asked for the end: whatever the cloud calls it, the job is not to blame.
    Rule{asked_for, Outcome::interruption, false, "its machine was terminated on request"},
    // The market took it back.
    Rule{spot_taken, Outcome::interruption, false, "the spot machine was taken back"},
    // Hardware, capacity or maintenance of the cloud.
    Rule{cloud_side, Outcome::interruption, false, "the cloud ended the machine"},
    // Somebody ended it through the console or the API behind our back: the image is fine, the attempt broke.
    Rule{by_user, Outcome::infra, false, "the machine was shut down by someone else"},
    // It shut itself down, or could not start (bad volume, bad snapshot): possibly the job's doing.
    Rule{client_side, Outcome::infra, true, "the machine shut down by itself"},
    // Nobody says why: the benefit of the doubt.
    Rule{anything, Outcome::interruption, false, "the machine is gone, the cloud does not say why"},
};

}  // namespace

MachineVerdict classify_end(const MachineEnd& end) {
  for (const Rule& rule : kRules) {
    if (!rule.matches(end)) continue;
    MachineVerdict verdict{rule.outcome, rule.counts_against_image, rule.text};
    if (!end.state_reason.empty()) verdict.reason += " (" + std::string(end.state_reason) + ")";
    return verdict;
  }
  return {};
}

}  // namespace drover::core
