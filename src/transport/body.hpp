#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "drover/base/result.hpp"
#include "drover/http/message.hpp"

namespace drover::transport {

// The memory that bodies on their way in may take together. Thread-safe.
class BodyBudget {
 public:
  explicit BodyBudget(std::int64_t bytes) : free_(bytes) {}
  bool take(std::int64_t bytes) {
    if (free_.fetch_sub(bytes) >= bytes) return true;
    free_.fetch_add(bytes);
    return false;
  }
  void give(std::int64_t bytes) { free_.fetch_add(bytes); }

 private:
  std::atomic<std::int64_t> free_;
};

// Where one request's body goes: memory, a spool file, or nowhere. Not thread-safe.
class Body {
 public:
  Body() = default;
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  ~Body() { reset(); }

  void to_memory(BodyBudget& budget);
  Status to_file(const std::string& directory);
  void to_nowhere() { reset(); }
  Status append(std::string_view data);
  // Moves what was received into the request.
  void finish(http::Request& request);
  // Lets go of memory and file.
  void reset();

 private:
  enum class Kind { nowhere, memory, file };

  Kind kind_ = Kind::nowhere;
  BodyBudget* budget_ = nullptr;
  std::string text_;
  int fd_ = -1;
  std::string path_;
  std::int64_t size_ = 0;
};

}  // namespace drover::transport
