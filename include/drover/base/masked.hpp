#pragma once

#include <string>
#include <string_view>

namespace drover {

// The text without the passwords in its URLs and connection strings: "postgresql://u:***@host/db",
// "password=***". For text that quotes the configuration file, or the message of a library that quotes a
// connection string.
std::string without_passwords(std::string_view text);

}  // namespace drover
