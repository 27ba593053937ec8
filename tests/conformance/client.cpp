#include "conformance/client.hpp"

#include <cerrno>
#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drover/base/text.hpp"

#include "patience.hpp"

namespace drover::transport {

std::chrono::milliseconds patience() {
  static const char* given = std::getenv("DROVER_PATIENCE_MS");
  return given != nullptr ? std::chrono::milliseconds(parse_int(given).value_or(0)) : kPatience;
}

std::string Answer::field(std::string_view lower_name) const {
  for (const std::string_view line : split(head, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && iequals(line.substr(0, colon), lower_name)) {
      return std::string(trim(line.substr(colon + 1)));
    }
  }
  return {};
}

bool Answer::has(std::string_view lower_name) const {
  for (const std::string_view line : split(head, '\n')) {
    if (iequals(line.substr(0, line.find(':')), lower_name)) return true;
  }
  return false;
}

RawClient::RawClient() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (fd_ < 0) std::abort();
}

void RawClient::connect(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  if (::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::abort();
  }
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void RawClient::send_bytewise(std::string_view bytes) {
  for (const char& byte : bytes) {
    if (!send({&byte, 1})) return;
  }
}

void RawClient::receive_little() {
  const int bytes = 4096;
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

void RawClient::finish_sending() {
  ::shutdown(fd_, SHUT_WR);
}

void RawClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void RawClient::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

bool RawClient::fill() {
  pollfd wait{fd_, POLLIN, 0};
  if (::poll(&wait, 1, static_cast<int>(patience().count())) <= 0) {
    timed_out_ = true;
    return false;
  }
  char buffer[65536];
  const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
  if (count < 0 && errno == ECONNRESET) reset_ = true;
  if (count <= 0) return false;
  in_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

Answer RawClient::read_answer(bool head) {
  std::size_t end = 0;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return {};
  }
  Answer answer;
  answer.head = in_.substr(0, end + 2);
  in_.erase(0, end + 4);
  answer.status = static_cast<int>(parse_int(answer.head.substr(9, 3)).value_or(0));
  const auto length = static_cast<std::size_t>(parse_int(answer.field("content-length")).value_or(0));
  if (head) return answer;
  while (in_.size() < length) {
    if (!fill()) return {};
  }
  answer.body = in_.substr(0, length);
  in_.erase(0, length);
  return answer;
}

std::string RawClient::read_exactly(std::size_t bytes) {
  while (in_.size() < bytes && fill()) {
  }
  std::string taken = in_.substr(0, bytes);
  in_.erase(0, bytes);
  return taken;
}

std::optional<std::string> RawClient::read_chunk() {
  std::size_t end = 0;
  while ((end = in_.find("\r\n")) == std::string::npos) {
    if (!fill()) return std::nullopt;
  }
  const std::string digits = in_.substr(0, end);
  if (digits.empty() || digits.size() > 8 ||
      digits.find_first_not_of("0123456789abcdef") != std::string::npos)
    return std::nullopt;
  in_.erase(0, end + 2);
  const std::size_t size = std::stoul(digits, nullptr, 16);
  std::string data = read_exactly(size + 2);
  if (data.size() != size + 2 || !data.ends_with("\r\n")) return std::nullopt;
  data.resize(size);
  return data;
}

std::optional<std::string> RawClient::read_chunks() {
  std::string all;
  for (;;) {
    const std::optional<std::string> chunk = read_chunk();
    if (!chunk) return std::nullopt;
    if (chunk->empty()) return all;
    all += *chunk;
  }
}

std::optional<std::string> RawClient::read_to_end() {
  while (fill()) {
  }
  return timed_out_ ? std::nullopt : std::optional<std::string>(std::move(in_));
}

bool RawClient::at_end() {
  return in_.empty() && !fill() && !timed_out_;
}

std::string get(std::string_view path, std::string_view fields) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) + "\r\n";
}

std::string post(std::string_view path, std::string_view body, std::string_view fields) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace drover::transport
