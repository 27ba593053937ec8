#pragma once

#include <cstddef>
#include <string_view>

namespace drover::transport {

// Finds the end of a request's header block in bytes that arrive in any pieces. It judges byte by byte, so
// that what is refused never depends on how the bytes were cut into segments; the parser then sees whole
// blocks only.
class HeadScanner {
 public:
  enum class State {
    more,      // no verdict yet
    complete,  // begin() and size() hold
    bad,       // a bare CR or LF, a NUL, or a folded line
    header_too_large,
    target_too_long,
  };
  explicit HeadScanner(std::size_t limit) : limit_(limit) {}
  // `data` is everything received since the request before; each call passes the same bytes and more.
  State scan(std::string_view data);
  [[nodiscard]] std::size_t begin() const { return begin_; }  // after empty lines, which are skipped
  [[nodiscard]] std::size_t end() const { return at_; }       // after the blank line

 private:
  State step(char c);
  void pass_plain(std::string_view data);

  std::size_t limit_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  std::size_t line_ = 0;  // where the current line starts
  bool first_line_ = true;
  bool after_cr_ = false;
  State verdict_ = State::more;
};

}  // namespace drover::transport
