#pragma once

#include "parts.hpp"

// The hold that workers have on attempts: heard, missed, expired, given back.
namespace drover::engine {

// Who a worker is, by its token; and that it was heard.
[[nodiscard]] Status check_auth(Parts& parts, const WorkerAuth& auth);
[[nodiscard]] Error stale_attempt(const AttemptRef& ref);

// Its worker has shown that it has the attempt. While its end is with the writer that counts only if the end
// is refused.
void renew(Parts& parts, Lease& lease);
void hear_heartbeat(Parts& parts, const Heartbeat& heartbeat, const Done<HeartbeatAnswer>& done);
void take_notice(Parts& parts, const Worker& worker, const std::string& notice);
void check_attempt(Parts& parts, const WorkerAuth& auth, const AttemptRef& attempt,
                   const Done<ports::OpenAttempt>& done);
void give_back(Parts& parts, const std::vector<Delivery>& deliveries);
// Stages the ends of attempts that nobody holds any more.
void expire_leases(Parts& parts);
void lose_worker(Parts& parts, WorkerId id, core::Outcome outcome, const std::string& reason, bool with_many,
                 const Done<Ok>& done);
// How an attempt of this worker ended that the worker did not bring to its own end.
[[nodiscard]] core::Outcome outcome_of_broken(Parts& parts, WorkerId id);

}  // namespace drover::engine
