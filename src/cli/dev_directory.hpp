#pragma once

#include <cstdint>
#include <string>

#include "drover/base/address.hpp"
#include "drover/base/result.hpp"

namespace drover::cli {

// The directory that `drover dev` works in, locked against a second one. Removed at the end if it was
// temporary and not kept. Not thread-safe.
class DevDirectory {
 public:
  // Empty `wanted`: a temporary directory, or the default one of this user.
  static Result<DevDirectory> open(const std::string& wanted, bool temporary);
  // Whether the directory that open() would work in is there already.
  static bool exists(const std::string& wanted, bool temporary);
  DevDirectory(DevDirectory&& other) noexcept;
  DevDirectory& operator=(DevDirectory&&) = delete;
  ~DevDirectory();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool fresh() const { return fresh_; }  // nothing ran in it before
  void keep() { temporary_ = false; }
  // A child that inherits this descriptor shares the lock, so that a later `drover dev` waits for the child's
  // end.
  [[nodiscard]] int lock_descriptor() const { return lock_; }

 private:
  DevDirectory(std::string path, bool temporary) : path_(std::move(path)), temporary_(temporary) {}
  Status lock();

  std::string path_;
  bool temporary_ = false;
  bool fresh_ = false;
  int lock_ = -1;
};

// Writes a file that this user alone can read, in one step.
Status write_private_file(const std::string& path, const std::string& text);
// The last lines of a log, for a message; empty when there are none.
std::string log_tail(const std::string& path, int lines);
// The port of `address`, or for 0 one that the system chooses, if nobody has it at this moment.
Result<std::uint16_t> free_port(const ListenAddress& address);

}  // namespace drover::cli
