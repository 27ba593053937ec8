#include "changes/define.hpp"

namespace drover::memstore {

using ports::ActOnJob;

template <>
struct InMemory<ActOnJob> {
  static Result<ActOnJob::Answer> carry_out(Data& data, const ActOnJob& act) {
    Job* job = data.job(act.job);
    if (job == nullptr || (act.id && *act.id != job->id)) {
      return not_found("there is no job " + (act.id ? to_string(*act.id) : std::to_string(act.job.value)));
    }
    const auto lease = data.leases.find(act.job);
    const bool leased = lease != data.leases.end();
    core::JobBrief brief{job->state, leased, leased ? lease->second.wanted : core::JobState::running};
    const core::ActionDecision decision = core::decide_action(brief, act.action);
    using Kind = core::ActionDecision::Kind;
    if (decision.kind == Kind::refuse) {
      return conflict("cannot " + std::string(to_string(act.action)) + " job " +
                      std::to_string(act.job.value) + ": " + decision.reason);
    }
    ActOnJob::Answer out;
    out.changed = decision.kind != Kind::nothing;
    out.was_ready = job->state == core::JobState::queued && !leased && !job->wake_at;
    out.before = leased ? core::JobState::running : job->state;
    out.queue = job->spec.queue;
    out.key = {-job->spec.priority, act.job.value};
    out.suspect = job->alone > Seconds{0};
    if (decision.kind == Kind::want) {
      brief.wanted = lease->second.wanted = decision.state;
      out.wanted = decision.state;
    }
    if (decision.kind == Kind::store) {
      if (store(*job, act, decision.state)) out.suspect = false;  // it begins anew
      brief.stored = decision.state;
    }
    out.after = core::visible_state(brief);
    out.wake_at = job->wake_at;
    if (out.changed) data.happened(std::string(to_string(act.action)), act.job.value);
    return out;
  }

 private:
  // True when the job was final: its counters start anew, the numbering of its attempts goes on.
  static bool store(Job& job, const ActOnJob& act, core::JobState state) {
    const bool was_final = core::is_final(job.state);
    const bool final_now = core::is_final(state);
    const bool wake_later = !was_final && !final_now && job.wake_at && *job.wake_at > act.now;
    if (!wake_later) job.wake_at.reset();
    job.state = state;
    job.finished = final_now ? std::optional(act.now) : std::nullopt;
    job.reason.clear();
    if (!was_final) return false;
    job.counters = {};
    job.infra_workers.clear();
    job.charges = 0;
    job.alone = Seconds{0};
    job.returns = 0;
    return true;
  }
};
DROVER_IN_MEMORY(ports::ActOnJob)

}  // namespace drover::memstore
