#include "render.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>
#include <utility>

#include "drover/base/log.hpp"
#include "drover/base/text.hpp"

namespace drover::transport {

namespace {

constexpr std::size_t kUsualHeadBytes = 512;

}  // namespace

std::string render_head(const http::Response& response, const Framing& framing,
                        const std::string& server_name, WallTime now) {
  std::string out;
  out.reserve(kUsualHeadBytes);
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(http::reason_phrase(response.status)).append("\r\n");
  fields_to_send(response, server_name, now, [&out](const std::string& name, const std::string& value) {
    out.append(name).append(": ").append(value).append("\r\n");
  });
  if (has_body(response.status) && framing.kind == Framing::Kind::chunks) {
    out += "Transfer-Encoding: chunked\r\n";
  } else if (has_body(response.status) && framing.kind == Framing::Kind::length) {
    out.append("Content-Length: ").append(std::to_string(framing.length)).append("\r\n");
  }
  if (framing.close) {
    out += "Connection: close\r\n";
  } else if (framing.keep_alive_1_0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  return out;
}

namespace {

bool is_token(std::string_view name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), fits);
}

bool is_field_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

bool is_ours(std::string_view name) {
  return iequals(name, "content-length") || iequals(name, "connection") || iequals(name, "date") ||
         iequals(name, "transfer-encoding") || iequals(name, "keep-alive") || iequals(name, "server");
}

// RFC 9110 §5.6.7; strftime would follow the locale.
std::string date_of(std::time_t seconds) {
  constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                     kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900, parts.tm_hour,
                     parts.tm_min, parts.tm_sec);
}

// Thousands of answers a second have the same date, so each thread keeps its last one.
const std::string& date(WallTime now) {
  thread_local std::time_t of = -1;
  thread_local std::string text = date_of(of);
  const std::time_t seconds = std::chrono::floor<Seconds>(now).time_since_epoch().count();
  if (std::exchange(of, seconds) != seconds) text = date_of(seconds);
  return text;
}

}  // namespace

bool has_body(int status) {
  return status != 204 && status != 304;
}

bool is_sound_field(std::string_view name, std::string_view value) {
  return is_token(name) && is_field_value(value);
}

void fields_to_send(const http::Response& response, const std::string& server_name, WallTime now,
                    const std::function<void(const std::string& name, const std::string& value)>& send) {
  const auto own = std::find_if(response.headers.begin(), response.headers.end(),
                                [](const auto& header) { return iequals(header.first, "date"); });
  const bool usable = own != response.headers.end() && is_field_value(own->second);
  send("Date", usable ? own->second : date(now));
  if (!server_name.empty()) send("Server", server_name);
  for (const auto& [name, value] : response.headers) {
    if (is_ours(name)) continue;
    if (is_sound_field(name, value)) {
      send(name, value);
    } else {
      log_error("a response field was dropped: its name or value ({} and {} bytes) would break the header",
                name.size(), value.size());
    }
  }
}

}  // namespace drover::transport
