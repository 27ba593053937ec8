#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace drover {

using Sha256 = std::array<std::uint8_t, 32>;

// SHA-256 and HMAC-SHA-256 by OpenSSL. Thread-safe.
Sha256 sha256(std::string_view data);
Sha256 hmac_sha256(std::string_view key, std::string_view data);
std::string to_hex(const Sha256& hash);
// The hash's bytes as text, for what takes text. Valid as long as `hash`.
inline std::string_view bytes_of(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// SHA-256 of data that arrives in pieces (file bodies). Not thread-safe.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;
  void update(std::string_view piece);
  Sha256 finish();

 private:
  void* context_;
};

// Overwrites the bytes, in a string up to its capacity, so that none is left in memory that is used for
// something else next. A string is empty afterwards.
void wipe(std::string& text) noexcept;
void wipe(Sha256& bytes) noexcept;

// A value that must not reach a log or a reply: printing needs reveal(). Its bytes are wiped at the end, and
// when it is moved from or another value takes their place. The string that it is made of is wiped too if it
// is moved in; copies that callers make of reveal() are theirs to wipe.
class Secret {
 public:
  Secret() = default;
  explicit Secret(const std::string& value) : value_(value) {}
  explicit Secret(std::string&& value) noexcept : value_(std::move(value)) { wipe(value); }
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { wipe(other.value_); }
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(value_); }
  [[nodiscard]] const std::string& reveal() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string value_;
};

// A token that a client presents, with its SHA-256. The hash is computed once, by the thread that received
// the request, so that the engine's thread, which compares it with the stored one, spends no time on hashing.
class Token {
 public:
  Token() = default;
  Token(Secret secret) : secret_(std::move(secret)), hash_(sha256(secret_.reveal())) {}
  [[nodiscard]] const Secret& secret() const { return secret_; }
  [[nodiscard]] const std::string& reveal() const { return secret_.reveal(); }
  [[nodiscard]] bool empty() const { return secret_.empty(); }
  [[nodiscard]] const Sha256& hash() const { return hash_; }
  // Is this the token of that hash? Takes the same time for either answer. Always false for an empty token.
  [[nodiscard]] bool is(const Sha256& hash) const;

 private:
  Secret secret_;
  Sha256 hash_{};
};

// 256 random bits as 64 hex digits, from the operating system.
std::string random_token();
std::uint64_t random_u64();
// At least 0 and below 1, from the operating system.
double random_uniform();
// Compares in time that depends on the lengths only.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace drover
