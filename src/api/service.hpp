#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "drover/api/api.hpp"
#include "drover/base/blocking_pool.hpp"
#include "drover/base/json.hpp"
#include "drover/base/log.hpp"
#include "drover/http/problem.hpp"

#include "log_followers.hpp"

namespace drover::api {

// One request on its way to an answer. Shared by the threads that work on it one after the other.
class Call {
 public:
  explicit Call(http::Context context) : context_(std::move(context)) {}
  [[nodiscard]] const http::Request& request() const { return context_.request; }
  http::Request& request() { return context_.request; }
  // The value of a name in the route's pattern. One that the pattern lacks is a defect (DROVER_CHECK).
  [[nodiscard]] const std::string& path(std::string_view name) const;
  [[nodiscard]] const http::Reply& reply() const { return context_.reply; }
  // Who asks, as the route's row in the table of routes says and identify() found out.
  [[nodiscard]] const services::Principal& who() const { return who_; }
  // Likewise, on routes of workers and of attempts alone: anything else is a defect
  // (std::bad_variant_access).
  [[nodiscard]] const services::Worker& worker() const { return std::get<services::Worker>(who_); }
  [[nodiscard]] const services::Attempt& attempt() const { return std::get<services::Attempt>(who_); }
  void is_from(services::Principal who) { who_ = std::move(who); }
  // Only the first answer goes out.
  void send(http::Response response, std::function<void(bool)> done = {});
  void send(int status, const Json& body) { send(http::Response::json(status, body.dump() + "\n")); }
  void fail(const Error& error) { send(http::problem(error)); }
  void defect(const std::exception& error);  // logged, and a 500 that says nothing of it
  // Logs what a client has had done, with the id of its request.
  void did(std::string_view text, LogMembers members = {}) const;
  // True when the client has closed and the call is older than limits::kClosedReadWait; true, and the call is
  // answered, when it is older than limits::kReadTime. Reads of several steps ask between the steps, so that
  // a read that nobody waits for does not hold up the others.
  [[nodiscard]] bool given_up();

 private:
  http::Context context_;
  services::Principal who_ = services::Operator{};
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::atomic<bool> answered_{false};
};
using CallPtr = std::shared_ptr<Call>;

// What every handler works with.
struct Service : std::enable_shared_from_this<Service> {
  explicit Service(ApiDeps dependencies)
      : deps(std::move(dependencies)),
        jobs(*deps.services.jobs),
        explain(*deps.services.explain),
        pools(*deps.services.pools),
        workers(*deps.services.workers),
        scheduler(*deps.services.scheduler),
        reads("reads", deps.read_threads, limits::kReadQueue),
        duties("duties", deps.duty_threads, limits::kReadQueue),
        followers([this](std::function<void()> look) { return reads.post(std::move(look)); }) {}

  ApiDeps deps;
  services::Jobs& jobs;
  services::Explain& explain;
  services::Pools& pools;
  services::Workers& workers;
  services::Scheduler& scheduler;
  // Two pools of threads, so that submissions, uploads and /metrics never wait behind lists, however many
  // there are.
  BlockingPool reads;
  BlockingPool duties;
  LogFollowers followers;  // declared after the pools, which it uses

  // Runs `work`, which only reads, on a thread that may block; answers `overloaded` or `unavailable` when
  // there is none. Work whose client went away while it waited for a thread, or that waited longer than
  // limits::kReadTime, is not begun.
  void read(const CallPtr& call, std::function<void()> work);
  // Likewise for what must not wait behind reads, and is done whether or not its client still listens.
  void duty(const CallPtr& call, std::function<void()> work);
  // Runs `next` with the value, or answers the error. For use as a service's Done; what `next` does must not
  // block.
  template <class T>
  engine::Done<T> then(const CallPtr& call, std::function<void(T)> next) {
    return [call, next = std::move(next)](Result<T> result) {
      if (!result.ok()) return call->fail(result.error());
      try {
        next(std::move(*result));
      } catch (const std::exception& error) {
        call->defect(error);
      }
    };
  }
  // Like then(), and runs `next` as a duty().
  template <class T>
  engine::Done<T> then_duty(const CallPtr& call, std::function<void(T)> next) {
    return then<T>(call, [self = shared_from_this(), call, next = std::move(next)](T value) {
      auto shared = std::make_shared<T>(std::move(value));
      self->duty(call, [next, shared] { next(std::move(*shared)); });
    });
  }

 private:
  void post(BlockingPool& pool, const CallPtr& call, std::function<void()> work);
};
using ServicePtr = std::shared_ptr<Service>;
using Handler = void (*)(const ServicePtr&, const CallPtr&);

}  // namespace drover::api
