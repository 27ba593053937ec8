#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace drover {

enum class LogLevel { debug, info, warn, error };

// What a line names beside its text, for machines to search by: {"pool", "gpu"}, {"request_id", "3f…"}.
using LogMembers = std::vector<std::pair<std::string, std::string>>;

// The process's one logger, to standard error, a line a message: time, level, text, members as key=value.
// Thread-safe. json = true writes one JSON object a line, the members among its own. Where standard error is
// systemd's journal, each line begins with the priority that sd-daemon(3) describes (<3> to <7>), and has no
// time and level in front of its text, since the journal keeps both.
void set_log_level(LogLevel level, bool json = false);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view text, const LogMembers& members = {});

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::debug))
    log_line(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::info)) log_line(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warn(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace drover
