#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drover/http/router.hpp"
#include "drover/ports/metrics.hpp"
#include "drover/services/services.hpp"

namespace drover::api {

struct ApiDeps {
  services::Services& services;
  ports::Metrics& metrics;
  std::string spool_directory;                  // for answers that are put together in a file
  std::function<std::string()> worker_program;  // text served to instances that start; thread-safe
  std::string hostname;                         // shown by /status
  std::function<std::uint16_t()> port;          // likewise; asked once it listens
  std::string version;
  // Each of these threads needs a connection of the store while it reads: with fewer connections they wait
  // for each other.
  int read_threads = 4;  // for lists and other reads
  int duty_threads = 4;  // for what must not wait behind reads: submissions, uploads, /metrics
};

// The native REST handlers. Reads and file work run on threads of its own, so that no transport thread waits.
// Requests are answered `overloaded` while too many wait for these threads. Thread-safe.
class Api {
 public:
  explicit Api(ApiDeps deps);
  ~Api();  // stop()s
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // The router must not outlive what `deps` refers to; requests after stop() are answered `unavailable`.
  void add_routes(http::Router& router);
  // Ends the threads; reads still waiting for one are dropped (the transport answers 500 to them).
  void stop();

 private:
  std::shared_ptr<struct Service> service_;
};

}  // namespace drover::api
