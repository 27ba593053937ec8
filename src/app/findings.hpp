#pragma once

#include <string>

namespace drover::app {

// What one check of `drover doctor` found.
struct Finding {
  enum class Verdict { well, failed, unchecked };
  Verdict verdict = Verdict::well;
  std::string text;
  std::string remedy = {};  // what to do, of one that failed; of an unchecked one, what would tell
};
Finding well(std::string text);
Finding failed(std::string text, std::string remedy);
Finding unchecked(std::string text, std::string remedy = {});

// Prints a line for each check and counts those that failed. Passwords are masked, also in quoted messages.
class Report {
 public:
  // False when the check failed.
  bool add(const std::string& name, const Finding& finding);
  [[nodiscard]] int failures() const { return failures_; }

 private:
  int failures_ = 0;
};

}  // namespace drover::app
