#include "drover/base/failpoint.hpp"

#ifdef DROVER_FAILPOINTS

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "drover/base/text.hpp"

namespace drover {
namespace {

struct Request {
  bool hang = false;
  int signal = 0;  // 0: none
  [[nodiscard]] bool empty() const { return !hang && signal == 0; }
  std::vector<std::string> prefixes;
  std::int64_t left = 0;
};

// Ends the process: a test whose failpoint never acts would pass without having tested anything.
[[noreturn]] void refuse(std::string_view text) {
  fmt::print(stderr, "DROVER_FAILPOINT cannot be read: {}\n", text);
  std::abort();
}

Request parse(std::string_view text) {
  Request out;
  if (text.empty()) return out;
  const std::size_t at = text.find('@');
  const std::size_t colon = text.rfind(':');
  const std::string_view action = text.substr(0, at);
  if (at == std::string_view::npos || colon == std::string_view::npos || colon < at) refuse(text);
  out.signal = action == "kill" ? SIGKILL : action == "stop" ? SIGSTOP : 0;
  out.hang = action == "hang";
  out.left = parse_int(text.substr(colon + 1)).value_or(0);
  if (out.empty() || out.left < 1) refuse(text);
  for (const auto part : split(text.substr(at + 1, colon - at - 1), ',')) out.prefixes.emplace_back(part);
  return out;
}

class Failpoints {
 public:
  Failpoints() {
    constexpr std::string_view kFile = "file:";
    if (const char* path = std::getenv("DROVER_FAILPOINT_TRACE")) {
      trace_ = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
    const char* asked = std::getenv("DROVER_FAILPOINT");
    const std::string_view text = asked == nullptr ? "" : asked;
    if (text.starts_with(kFile)) {
      path_ = text.substr(kFile.size());
    } else {
      request_ = parse(text);
    }
  }

  void pass(std::initializer_list<std::string_view> parts) {
    if (trace_ < 0 && path_.empty() && request_.empty()) return;
    std::unique_lock lock(mutex_);
    if (!path_.empty()) read_file();
    std::string line = fmt::format("{}", fmt::join(parts, "."));
    const bool asked = std::any_of(request_.prefixes.begin(), request_.prefixes.end(),
                                   [&](const std::string& prefix) { return line.starts_with(prefix); });
    const bool hit = asked && --request_.left == 0;
    line += hit ? "!\n" : "\n";
    if (trace_ >= 0 && ::write(trace_, line.data(), line.size()) < 0) std::abort();
    if (!hit) return;
    const Request what = request_;
    lock.unlock();
    while (what.hang) ::pause();
    ::kill(::getpid(), what.signal);
    // The signal may stop this thread only after kill() has returned; meanwhile the thread must not pass the
    // point.
    ::usleep(100'000);
  }

 private:
  void read_file() {
    std::ifstream file(path_);
    std::string text;
    std::getline(file, text);
    if (text == text_) return;
    text_ = text;
    request_ = parse(text);
  }

  std::string path_;
  int trace_ = -1;
  std::mutex mutex_;
  std::string text_;  // of the file
  Request request_;
};

}  // namespace

void pass_failpoint(std::initializer_list<std::string_view> parts) {
  static Failpoints points;
  points.pass(parts);
}

}  // namespace drover

#endif
