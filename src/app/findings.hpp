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

// Prints a line a check and counts those that failed. No password is printed, whoever has quoted it.
class Report {
 public:
  // Whether it is not failed.
  bool add(const std::string& name, const Finding& finding);
  [[nodiscard]] int failures() const { return failures_; }

 private:
  int failures_ = 0;
};

}  // namespace drover::app
