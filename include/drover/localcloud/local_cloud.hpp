#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"
#include "drover/base/secret.hpp"

namespace drover::localcloud {

// The hidden subcommand under which a binary that holds the local cloud runs one instance's supervisor:
// `drover localcloud-instance <directory>`. main hands what follows it to run_instance_supervisor().
inline constexpr const char* kSupervisorSubcommand = "localcloud-instance";

// An image whose instances boot and run nothing, whatever their user data: for measurements and protocol
// tests.
inline constexpr const char* kInertImage = "ami-inert";

// This very executable with kSupervisorSubcommand.
std::vector<std::string> default_supervisor_argv();

struct LocalCloudOptions {
  std::string address = "127.0.0.1";  // loopback only: whoever reaches the endpoint runs programs here
  std::uint16_t port = 0;             // EC2 endpoint; 0: any
  std::string control_address = "127.0.0.1";  // loopback only; not authenticated
  std::uint16_t control_port = 0;             // 0: any
  std::string data_dir;                       // made if absent; one local cloud at a time
  std::string region = "us-east-1";
  std::string access_key = "local";
  Secret secret_key;                              // must not be empty
  std::vector<std::string> supervisor_argv = {};  // the instance's directory is appended; empty: default
  std::vector<std::pair<std::string, std::string>> instance_env =
      {};                                  // added to every instance's environment
  Millis pending_delay{200};               // launch → running
  Millis shutdown_grace{2000};             // SIGTERM → SIGKILL of an instance that is terminated
  Millis terminated_retention{3'600'000};  // how long a terminated instance is listed
  int max_instances = 256;                 // alive at once; more is InstanceLimitExceeded
  bool throttle = true;                    // AWS's own token buckets
  bool terminate_on_exit = false;          // run_local_cloud: SIGTERM and SIGINT terminate every instance
};

// An EC2-compatible endpoint whose instances are local processes. Instances outlive the object, and its
// process, unless terminate_all() is called; the next one over the same data_dir takes them over.
// Thread-safe.
class LocalCloud {
 public:
  explicit LocalCloud(LocalCloudOptions options);
  ~LocalCloud();  // stop()
  LocalCloud(const LocalCloud&) = delete;
  LocalCloud& operator=(const LocalCloud&) = delete;

  // Locks the data directory, takes over its instances, binds both ports. invalid: an option; conflict: the
  // directory is in use.
  Status start();
  // Closes both ports; leaves the instances running. Idempotent.
  void stop();
  // Terminates every instance and waits until their last process is gone; timeout when some remain after
  // `wait`. Between start() and stop().
  Status terminate_all(Millis wait);

  [[nodiscard]] std::uint16_t port() const;          // after start
  [[nodiscard]] std::uint16_t control_port() const;  // after start
  [[nodiscard]] std::string endpoint() const;        // "http://127.0.0.1:N"
  [[nodiscard]] std::string control() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Runs a local cloud until SIGTERM or SIGINT, calling `ready` once it serves. Returns the exit status. Call
// it from the main thread, before other threads exist: it blocks those signals.
int run_local_cloud(const LocalCloudOptions& options, const std::function<void(const LocalCloud&)>& ready);

// The line `drover localcloud` prints when ready: {"endpoint":"http://…","control":"http://…"}, no newline.
std::string ready_line(const LocalCloud& cloud);

// One instance's supervisor: serves its IMDS, runs its user data, ends every descendant. `args` is what
// follows kSupervisorSubcommand. Returns the exit status.
int run_instance_supervisor(std::span<const std::string> args);

}  // namespace drover::localcloud
