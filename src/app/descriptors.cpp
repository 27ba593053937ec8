#include "descriptors.hpp"

#include <algorithm>

#include <sys/resource.h>

#include "drover/base/log.hpp"

namespace drover::app {
namespace {

constexpr std::int64_t kReserve =
    64;  // files served and spooled, the leader's session, the cloud, event loops
constexpr std::int64_t kLeast = 16;

}  // namespace

std::int64_t allowed_connections(std::int64_t wanted, int read_connections) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  // The soft limit is low for programs that use select(), which this one does not.
  rlimit raised{files.rlim_max, files.rlim_max};
  if (files.rlim_cur < files.rlim_max && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
  if (files.rlim_cur == RLIM_INFINITY) return wanted;
  const auto limit = static_cast<std::int64_t>(std::min<rlim_t>(files.rlim_cur, 1'000'000'000));
  const std::int64_t allowed = std::max(kLeast, limit - kReserve - read_connections);
  if (allowed >= wanted) return wanted;
  log_warn("the limit of {} open files leaves room for {} connections, not {} (server.max_connections)",
           limit, allowed, wanted);
  return allowed;
}

}  // namespace drover::app
