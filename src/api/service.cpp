#include "service.hpp"

#include <exception>

#include <fmt/format.h>

#include "drover/base/check.hpp"
#include "drover/base/limits.hpp"

namespace drover::api {

const std::string& Call::path(std::string_view name) const {
  const auto found = context_.path.find(name);
  DROVER_CHECK(found != context_.path.end(), "a handler asks for a name that its route's pattern lacks");
  return found->second;
}

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
  fail(internal(""));
}

void Call::did(std::string_view text, LogMembers members) const {
  members.emplace_back("request_id", context_.request_id);
  log_line(LogLevel::info, text, members);
}

bool Call::given_up() {
  const auto waited = std::chrono::steady_clock::now() - since_;
  if (waited > limits::kClosedReadWait && !context_.reply.open())
    return true;  // not answered, so it is counted as 499
  if (waited < limits::kReadTime) return false;
  fail(overloaded(
      fmt::format("this took longer than {} s; ask for less, or again later", limits::kReadTime.count()), 5));
  return true;
}

void Service::read(const CallPtr& call, std::function<void()> work) {
  post(reads, call, [call, work = std::move(work)] {
    if (!call->given_up()) work();
  });
}

void Service::duty(const CallPtr& call, std::function<void()> work) {
  post(duties, call, std::move(work));
}

void Service::post(BlockingPool& pool, const CallPtr& call, std::function<void()> work) {
  const bool posted = pool.post([call, work = std::move(work)] {
    try {
      work();
    } catch (const std::exception& error) {
      call->defect(error);
    }
  });
  if (posted) return;
  if (pool.stopped()) {
    call->fail(unavailable("the daemon is stopping", 5));
  } else {
    call->fail(overloaded("too many requests are waiting", 1));
  }
}

}  // namespace drover::api
