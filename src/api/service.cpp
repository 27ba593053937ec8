#include "service.hpp"

#include <exception>

namespace drover::api {

void Call::send(http::Response response, std::function<void(bool)> done) {
  if (answered_.exchange(true)) {
    if (done) done(false);
    return;
  }
  context_.reply.send(std::move(response), std::move(done));
}

void Call::defect(const std::exception& error) {
  log_error("{} {} (request {}): {}", context_.request.method, context_.route, context_.request_id,
            error.what());
  fail(Error{Errc::internal, ""});
}

void Service::read(const CallPtr& call, std::function<void()> work) {
  const bool posted = pool.post([call, work = std::move(work)] {
    try {
      work();
    } catch (const std::exception& error) {
      call->defect(error);
    }
  });
  if (posted) return;
  if (pool.stopped()) {
    call->fail(Error{.code = Errc::unavailable, .message = "the daemon is stopping", .retry_after_s = 5});
  } else {
    call->fail(
        Error{.code = Errc::overloaded, .message = "too many requests are waiting", .retry_after_s = 1});
  }
}

}  // namespace drover::api
