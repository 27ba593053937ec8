#pragma once

#include <string>
#include <string_view>

namespace drover {

// The text without the passwords in its URLs and connection strings: "postgresql://u:***@host/db",
// "password=***". For what quotes settings, or messages of libraries that quote them.
std::string without_passwords(std::string_view text);

}  // namespace drover
