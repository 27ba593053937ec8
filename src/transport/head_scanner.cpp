#include "head_scanner.hpp"

#include <algorithm>

#include "drover/base/limits.hpp"

namespace drover::transport {

namespace {
constexpr std::size_t kAroundTarget = 64;  // a method, two blanks and the version
}

HeadScanner::State HeadScanner::step(char c) {
  if (at_ >= limit_) return State::header_too_large;
  if (first_line_ && at_ - line_ >= limits::kTargetBytes + kAroundTarget) return State::target_too_long;
  if (c == '\0' || (after_cr_ != (c == '\n'))) return State::bad;
  if (!first_line_ && at_ == line_ && (c == ' ' || c == '\t')) return State::bad;
  after_cr_ = c == '\r';
  if (c != '\n') return State::more;
  const bool empty = at_ == line_ + 1;
  line_ = at_ + 1;
  if (empty && !first_line_) return State::complete;
  if (empty) {
    begin_ = line_;
  } else {
    first_line_ = false;
  }
  return State::more;
}

HeadScanner::State HeadScanner::scan(std::string_view data) {
  while (verdict_ == State::more && at_ < data.size()) {
    pass_plain(data);
    if (at_ == data.size()) break;
    verdict_ = step(data[at_]);
    ++at_;
  }
  return verdict_;
}

// Goes over the bytes that step() would only count: those within a line that are no control characters. A
// byte above 0x7f may compare as negative here; step() then takes it, with the same verdict.
void HeadScanner::pass_plain(std::string_view data) {
  if (at_ == line_ || after_cr_) return;
  std::size_t end = std::min(data.size(), limit_);
  if (first_line_) end = std::min(end, line_ + limits::kTargetBytes + kAroundTarget);
  std::size_t at = at_;
  while (at < end && data[at] > '\r') ++at;
  at_ = at;
}

}  // namespace drover::transport
