#pragma once

#include <map>
#include <string>
#include <string_view>

namespace drover::aws {

using ProfileValues = std::map<std::string, std::string>;
using Profiles = std::map<std::string, ProfileValues>;

enum class ProfileSyntax {
  credentials,
  config
};  // sections "[name]", or "[profile name]" beside "[default]"

// The AWS command line's INI dialect: '#' and ';' start comment lines, indented lines belong to a nested
// value and are passed over, keys are lower-cased, a later section of the same name adds to the earlier.
// Lines that are none of these are passed over too.
Profiles parse_profiles(std::string_view text, ProfileSyntax syntax);

}  // namespace drover::aws
