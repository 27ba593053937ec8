#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace drover {

// Every way an operation can fail that a caller may handle. One closed list: http/problem.cpp maps each to a
// status, so a new entry does not compile until it is mapped.
enum class Errc {
  invalid,              // the caller's input; `field` names the member where there is one
  not_found,            // no such job, worker, pool, artifact
  conflict,             // the present state forbids it; the message says which state and why
  precondition_failed,  // the version that was named is not the present one
  stale,                // a fence refused it: the attempt ended, or the token is another's
  unauthenticated,      // no token, or an unknown one
  forbidden,            // a known token without the right
  too_large,            // a bound of base/limits.hpp
  overloaded,           // a queue is full; try again after `retry_after_s`
  unavailable,          // the store, the cloud or leadership is out of reach; try again after `retry_after_s`
  timeout,              // a deadline of this program passed; whether the call took effect is unknown
  data,                 // the database refused a value (SQLSTATE classes 22 and 23)
  commit_unknown,       // the reply to COMMIT was lost; `detail` holds the transaction id
  storage_full,         // no space for a file or a row
  internal,             // a defect of this program; the message goes to the log, never to a client
};

// An error as a value. `message` is a sentence for a person: what is wrong, and what to do.
struct Error {
  Errc code = Errc::internal;
  std::string message;
  std::string field = {};   // JSON member or setting, dotted ("task.env"); empty where none
  std::string detail = {};  // machine-readable extra: an EC2 code, a SQLSTATE, a transaction id
  int retry_after_s = 0;    // > 0: worth trying again after this many seconds
};

// For logs and operators: the message and, behind it, the detail.
inline std::string describe(const Error& error) {
  return error.detail.empty() ? error.message : error.message + " (" + error.detail + ")";
}

// Factories of the kinds that are made in several places. One style for every message: it starts in lower
// case, has no full stop at its end, and names the thing and, where there is one, the remedy ("the log has 7
// bytes, not 9: go on from there").
inline Error invalid(std::string field, std::string message) {
  return Error{Errc::invalid, std::move(message), std::move(field)};
}
inline Error not_found(std::string message) {
  return Error{Errc::not_found, std::move(message)};
}
inline Error conflict(std::string message) {
  return Error{Errc::conflict, std::move(message)};
}
inline Error stale(std::string message) {
  return Error{Errc::stale, std::move(message)};
}
inline Error unauthenticated(std::string message) {
  return Error{Errc::unauthenticated, std::move(message)};
}
inline Error forbidden(std::string message) {
  return Error{Errc::forbidden, std::move(message)};
}
inline Error too_large(std::string message) {
  return Error{Errc::too_large, std::move(message)};
}
inline Error overloaded(std::string message, int retry_after_s) {
  return Error{Errc::overloaded, std::move(message), {}, {}, retry_after_s};
}
inline Error unavailable(std::string message, int retry_after_s = 0) {
  return Error{Errc::unavailable, std::move(message), {}, {}, retry_after_s};
}
inline Error timed_out(std::string message) {
  return Error{Errc::timeout, std::move(message)};
}
inline Error storage_full(std::string message) {
  return Error{Errc::storage_full, std::move(message)};
}
inline Error internal(std::string message) {
  return Error{Errc::internal, std::move(message)};
}

// A T or an error, of another type than Error only where callers decide by what it holds (core::CloudError).
// Asking an error for its value, or a value for its error, is a bug of the caller: std::get throws.
template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(E error) : value_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] bool ok() const { return value_.index() == 0; }
  T& operator*() & { return std::get<0>(value_); }
  const T& operator*() const& { return std::get<0>(value_); }
  T&& operator*() && { return std::get<0>(std::move(value_)); }
  T* operator->() { return &std::get<0>(value_); }
  const T* operator->() const { return &std::get<0>(value_); }
  [[nodiscard]] const E& error() const { return std::get<1>(value_); }
  [[nodiscard]] E& error() { return std::get<1>(value_); }
  [[nodiscard]] T value_or(T other) const { return ok() ? std::get<0>(value_) : std::move(other); }

 private:
  std::variant<T, E> value_;
};

// Success without a value.
struct Ok {};
using Status = Result<Ok>;

}  // namespace drover
