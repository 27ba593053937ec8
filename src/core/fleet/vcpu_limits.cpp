#include "drover/core/fleet/vcpu_limits.hpp"

#include <algorithm>
#include <array>

namespace drover::core {
namespace {

struct FamilyLimit {
  std::string_view letters;  // of a type's name, up to its generation
  std::string_view group;
};

constexpr std::array kFamilyLimits{
    FamilyLimit{"a", "standard"},   FamilyLimit{"c", "standard"},  FamilyLimit{"d", "standard"},
    FamilyLimit{"h", "standard"},   FamilyLimit{"i", "standard"},  FamilyLimit{"im", "standard"},
    FamilyLimit{"is", "standard"},  FamilyLimit{"m", "standard"},  FamilyLimit{"r", "standard"},
    FamilyLimit{"t", "standard"},   FamilyLimit{"z", "standard"},  FamilyLimit{"f", "f"},
    FamilyLimit{"g", "g and vt"},   FamilyLimit{"gr", "g and vt"}, FamilyLimit{"vt", "g and vt"},
    FamilyLimit{"p", "p"},          FamilyLimit{"dl", "dl"},       FamilyLimit{"inf", "inf"},
    FamilyLimit{"trn", "trn"},      FamilyLimit{"x", "x"},         FamilyLimit{"hpc", "hpc"},
    FamilyLimit{"u", "high memory"}};

}  // namespace

std::string vcpu_limit_group(Market market, std::string_view instance_type) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto end = std::find_if_not(instance_type.begin(), instance_type.end(), is_letter);
  const std::string_view letters =
      instance_type.substr(0, static_cast<std::size_t>(end - instance_type.begin()));
  const std::string_view rest = instance_type.substr(letters.size());
  // Of spot machines, P2 to P4 have one limit and the later generations others.
  const bool late_p = letters == "p" && !rest.empty() && rest.front() >= '5' && rest.front() <= '9';
  if (market == Market::spot && late_p) return "p" + std::string(1, rest.front());
  for (const FamilyLimit& limit : kFamilyLimits) {
    if (limit.letters == letters) return std::string(limit.group);
  }
  return std::string(instance_type.substr(0, instance_type.find('.')));
}

}  // namespace drover::core
