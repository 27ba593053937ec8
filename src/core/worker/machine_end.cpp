#include "drover/core/worker/machine_end.hpp"

#include <algorithm>
#include <array>

#include "drover/base/json.hpp"
#include "drover/base/text.hpp"

namespace drover::core {
namespace {

struct Rule {
  bool (*matches)(const MachineEnd&);
  Outcome outcome;
  bool counts_against_image;
  const char* text;
};

bool told(const MachineEnd& end) {
  return end.noticed;
}
bool asked_for(const MachineEnd& end) {
  return end.worker == WorkerState::terminating || end.worker == WorkerState::draining;
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
    // The worker had an interruption notice. If the worker then shut its machine down, the cloud says that a
    // client did it; the reclaim is the cause all the same.
    Rule{told, Outcome::interruption, false, "its machine was taken back, as its notice said"},
    // The scheduler or a person asked for the end: whatever the cloud calls it, the job is not to blame.
    Rule{asked_for, Outcome::interruption, false, "its machine was ended on request"},
    // The spot market took the machine back.
    Rule{spot_taken, Outcome::interruption, false, "the spot machine was taken back"},
    // Hardware, capacity or maintenance of the cloud.
    Rule{cloud_side, Outcome::interruption, false, "the cloud ended the machine"},
    // A person ended it through the console or the API.
    Rule{by_user, Outcome::interruption, false, "the machine was shut down by someone else"},
    // The machine shut itself down, or could not start (bad volume, bad snapshot): the job may have caused
    // it.
    Rule{client_side, Outcome::infra, true, "the machine shut down by itself"},
    // The cloud does not say why, so the job may have ended the machine. If such an end were free, a job
    // could end machines for ever.
    Rule{anything, Outcome::infra, true, "the machine is gone, the cloud does not say why"},
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

Outcome outcome_of_broken_worker(WorkerState worker, bool noticed) {
  const MachineEnd end{worker, noticed, {}};
  return told(end) || asked_for(end) ? Outcome::interruption : Outcome::infra;
}

WallTime notice_end(std::string_view notice, WallTime now) {
  WallTime until = now + Seconds{120};
  if (const auto json = parse_json(notice); json.ok()) {
    const Json* time = json->find("time");
    const std::string* text = time == nullptr ? nullptr : time->if_string();
    if (text != nullptr) until = parse_rfc3339(*text).value_or(until);
  }
  return std::clamp(until, now, now + Seconds{600});
}

}  // namespace drover::core
