#include "drover/base/failpoint.hpp"

#ifdef DROVER_FAILPOINTS

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "drover/base/text.hpp"

namespace drover {
namespace {

// What the environment asks for.
struct Request {
  int signal = 0;  // 0: none
  std::vector<std::string> prefixes;
  std::atomic<std::int64_t> left{0};
  int trace = -1;

  Request() {
    if (const char* path = std::getenv("DROVER_FAILPOINT_TRACE")) {
      trace = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
    if (const char* text = std::getenv("DROVER_FAILPOINT"); text != nullptr && *text != '\0') read(text);
  }

  void read(std::string_view text) {
    const std::size_t at = text.find('@');
    const std::size_t colon = text.rfind(':');
    const std::string_view action = text.substr(0, at);
    if (at == std::string_view::npos || colon == std::string_view::npos || colon < at) refuse(text);
    left = parse_int(text.substr(colon + 1)).value_or(0);
    signal = action == "kill" ? SIGKILL : action == "stop" ? SIGSTOP : 0;
    if (signal == 0 || left < 1) refuse(text);
    for (const auto part : split(text.substr(at + 1, colon - at - 1), ',')) prefixes.emplace_back(part);
  }

  // A test that asks for what does not exist must not pass.
  [[noreturn]] static void refuse(std::string_view text) {
    fmt::print(stderr, "DROVER_FAILPOINT cannot be read: {}\n", text);
    std::abort();
  }
};

}  // namespace

void pass_failpoint(std::initializer_list<std::string_view> parts) {
  static Request request;
  if (request.signal == 0 && request.trace < 0) return;
  std::string line = fmt::format("{}", fmt::join(parts, "."));
  const bool asked = std::any_of(request.prefixes.begin(), request.prefixes.end(),
                                 [&](const std::string& prefix) { return line.starts_with(prefix); });
  const bool hit = asked && --request.left == 0;
  line += hit ? "!\n" : "\n";
  if (request.trace >= 0 && ::write(request.trace, line.data(), line.size()) < 0) std::abort();
  if (hit) ::kill(::getpid(), request.signal);
}

}  // namespace drover

#endif
