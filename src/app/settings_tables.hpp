#pragma once

#include <string_view>
#include <vector>

#include "drover/app/config.hpp"
#include "drover/schema/table.hpp"

namespace drover::app {

// A section of the configuration file, "[server]", and its settings. What each is for is said in
// config/drover.toml, the file that operators read.
struct SettingsSection {
  std::string_view name;
  schema::Table<Settings> table;
};

// All but [[pool]], whose table is schema's. In the order of config/drover.toml.
const std::vector<SettingsSection>& settings_sections();

}  // namespace drover::app
