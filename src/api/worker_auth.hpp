#pragma once

#include <string>

#include "service.hpp"

namespace drover::api {

// The bearer token of a worker names the worker too ("17.<token>"), because calls on an attempt have no
// worker in their path.
std::string worker_bearer(WorkerId worker, const Secret& token);

// Who calls; where the path names a worker it must be the same. unauthenticated otherwise.
Result<services::Worker> worker_auth(const http::Request& request, std::string_view path_worker = {});
// Is the caller a worker: asked before the body of an upload is read.
Status admit_worker(const Service& service, const http::Request& head);

// The caller of /jobs/{job}/attempts/{attempt}/…, by the bearer token and X-Drover-Attempt-Token.
Result<services::Attempt> attempt_call(const Call& call);

Error no_token();

}  // namespace drover::api
