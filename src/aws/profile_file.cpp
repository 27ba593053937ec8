#include "profile_file.hpp"

#include <optional>

#include "drover/base/text.hpp"

namespace drover::aws {
namespace {

std::string profile_of(std::string_view section, ProfileSyntax syntax);

}  // namespace

Profiles parse_profiles(std::string_view text, ProfileSyntax syntax) {
  Profiles profiles;
  ProfileValues* current = nullptr;
  std::optional<std::size_t> margin;  // of the section's keys; what stands further in is nested
  for (const auto raw : split(text, '\n')) {
    const auto line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      const auto end = line.find(']');
      const auto name =
          end == std::string_view::npos ? std::string{} : profile_of(trim(line.substr(1, end - 1)), syntax);
      current = name.empty() ? nullptr : &profiles[name];
      margin.reset();
      continue;
    }
    const auto equals = line.find('=');
    const auto indent = raw.find_first_not_of(" \t");
    if (current == nullptr || (margin && indent > *margin) || equals == std::string_view::npos) continue;
    margin = indent;
    (*current)[lower(trim(line.substr(0, equals)))] = trim(line.substr(equals + 1));
  }
  return profiles;
}

namespace {

std::string_view unquoted(std::string_view name) {
  if (name.size() >= 2 && (name.front() == '"' || name.front() == '\'') && name.back() == name.front()) {
    return name.substr(1, name.size() - 2);
  }
  return name;
}

// The profile that a section header names; empty for a section of another kind ("[sso-session x]").
std::string profile_of(std::string_view section, ProfileSyntax syntax) {
  constexpr std::string_view kPrefix = "profile";
  if (syntax == ProfileSyntax::credentials) return std::string(unquoted(section));
  if (section == "default") return "default";
  if (!section.starts_with(kPrefix)) return {};
  const auto rest = section.substr(kPrefix.size());
  if (rest.empty() || (rest.front() != ' ' && rest.front() != '\t')) return {};
  return std::string(unquoted(trim(rest)));
}

}  // namespace

}  // namespace drover::aws
