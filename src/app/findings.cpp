#include "findings.hpp"

#include <algorithm>
#include <iostream>
#include <utility>

#include <fmt/format.h>

#include "drover/base/masked.hpp"

namespace drover::app {
namespace {

// libpq's messages have several lines.
std::string in_one_line(const std::string& text) {
  std::string out = without_passwords(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return out;
}

}  // namespace

Finding well(std::string text) {
  return {Finding::Verdict::well, std::move(text)};
}

Finding failed(std::string text, std::string remedy) {
  return {Finding::Verdict::failed, std::move(text), std::move(remedy)};
}

Finding unchecked(std::string text, std::string remedy) {
  return {Finding::Verdict::unchecked, std::move(text), std::move(remedy)};
}

bool Report::add(const std::string& name, const Finding& finding) {
  const bool bad = finding.verdict == Finding::Verdict::failed;
  const char* word = bad ? "FAIL" : finding.verdict == Finding::Verdict::well ? "ok" : "unchecked";
  std::cout << fmt::format("{:<9} {:<12} {}\n", word, name, in_one_line(finding.text));
  if (!finding.remedy.empty()) std::cout << fmt::format("{:<22} {}\n", "", in_one_line(finding.remedy));
  failures_ += bad ? 1 : 0;
  return !bad;
}

}  // namespace drover::app
