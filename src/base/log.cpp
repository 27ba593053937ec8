#include "drover/base/log.hpp"

#include <atomic>
#include <cstdlib>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drover/base/clock.hpp"
#include "drover/base/json.hpp"
#include "drover/base/text.hpp"

namespace drover {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%fZ %l %v";

// systemd names the device and inode of its journal's socket in JOURNAL_STREAM; a redirected standard error
// is another.
bool writes_to_journal() {
  const char* named = std::getenv("JOURNAL_STREAM");
  struct stat own {};
  return named != nullptr && ::fstat(STDERR_FILENO, &own) == 0 &&
         fmt::format("{}:{}", own.st_dev, own.st_ino) == named;
}

struct LogSink {
  std::shared_ptr<spdlog::logger> logger = spdlog::stderr_logger_mt("drover");
  const bool journal = writes_to_journal();
  std::atomic<bool> json{false};
  LogSink() { logger->set_pattern(pattern(), spdlog::pattern_time_type::utc); }
  [[nodiscard]] const char* pattern() const { return journal || json ? "%v" : kTextPattern; }
};

// syslog(3)'s numbers.
int priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return 7;
    case LogLevel::info:
      return 6;
    case LogLevel::warn:
      return 4;
    case LogLevel::error:
      return 3;
  }
  return 6;
}

LogSink& sink() {
  static LogSink instance;
  return instance;
}

// Control characters in a message (a name that a client sent) must not forge lines.
std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void set_log_level(LogLevel level, bool json) {
  sink().logger->set_level(level_of(level));
  if (sink().json.exchange(json) != json)
    sink().logger->set_pattern(sink().pattern(), spdlog::pattern_time_type::utc);
}

bool log_enabled(LogLevel level) {
  return sink().logger->should_log(level_of(level));
}

void log_line(LogLevel level, std::string_view text, const LogMembers& members) {
  LogSink& out = sink();
  std::string line;
  if (out.json) {
    Json object = Json::object();
    object.set("time", to_rfc3339(SystemClock{}.wall()));
    object.set("level", std::string_view(spdlog::level::to_string_view(level_of(level)).data()));
    object.set("message", text);
    for (const auto& [key, value] : members) object.set(key, value);
    line = object.dump();
  } else {
    line = one_line(text);
    for (const auto& [key, value] : members) {
      const bool bare = !value.empty() && value.find_first_of(" \"=") == std::string::npos;
      line += fmt::format(" {}=", key);
      if (bare)
        line += one_line(value);
      else
        write_json_string(value, line);
    }
  }
  if (out.journal) line.insert(0, fmt::format("<{}>", priority_of(level)));
  out.logger->log(level_of(level), "{}", line);
}

}  // namespace drover
