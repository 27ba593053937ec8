#include "drover/base/log.hpp"

#include <atomic>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

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

struct LogSink {
  std::shared_ptr<spdlog::logger> logger = spdlog::stderr_logger_mt("drover");
  std::atomic<bool> json{false};
  LogSink() { logger->set_pattern(kTextPattern, spdlog::pattern_time_type::utc); }
};

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
    sink().logger->set_pattern(json ? "%v" : kTextPattern, spdlog::pattern_time_type::utc);
}

bool log_enabled(LogLevel level) {
  return sink().logger->should_log(level_of(level));
}

void log_line(LogLevel level, std::string_view text) {
  LogSink& out = sink();
  if (!out.json) {
    out.logger->log(level_of(level), "{}", one_line(text));
    return;
  }
  Json line = Json::object();
  line.set("time", to_rfc3339(SystemClock{}.wall()));
  line.set("level", std::string_view(spdlog::level::to_string_view(level_of(level)).data()));
  line.set("message", text);
  out.logger->log(level_of(level), "{}", line.dump());
}

}  // namespace drover
