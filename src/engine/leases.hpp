#pragma once

#include "parts.hpp"

// The hold that workers have on attempts: heard, missed, expired, given back.
namespace drover::engine {

// Checks a worker's token and, when it is right, notes that the worker was heard.
[[nodiscard]] Status check_auth(Parts& parts, const WorkerAuth& auth);
[[nodiscard]] Error stale_attempt(const AttemptRef& ref);

// The worker has shown that it has the attempt. While the attempt's end is with the writer, the lease is
// renewed only if that end is refused.
void renew(Parts& parts, Lease& lease);
void hear_heartbeat(Parts& parts, const Heartbeat& heartbeat, const Done<HeartbeatAnswer>& done);
void take_notice(Parts& parts, const Worker& worker, const std::string& notice);
void check_attempt(Parts& parts, const WorkerAuth& auth, const AttemptRef& attempt,
                   const Done<ports::OpenAttempt>& done);
void give_back(Parts& parts, const std::vector<Delivery>& deliveries);
// Stages the ends of attempts whose leases are over.
void expire_leases(Parts& parts);
void lose_worker(Parts& parts, WorkerId id, core::Outcome outcome, const std::string& reason, bool with_many,
                 const Done<Ok>& done);
// The outcome of an attempt that this worker gave back, or fell silent with.
[[nodiscard]] core::Outcome outcome_of_broken(Parts& parts, WorkerId id);

}  // namespace drover::engine
