#pragma once

#include <string>
#include <string_view>

namespace drover::api {

// Content-Disposition of a download: the name in quotes with everything doubtful replaced, and exactly in
// filename*.
std::string attachment(std::string_view name);
// The file name of a download: the last part of the artifact's name. Browsers would replace the slashes of
// the whole.
std::string_view download_name(std::string_view artifact);

}  // namespace drover::api
