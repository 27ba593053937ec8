#pragma once

#include <string>
#include <string_view>

namespace drover::api {

// Content-Disposition of a download: the name in quotes with everything doubtful replaced, and exactly in
// filename*.
std::string attachment(std::string_view name);
// What a download of this artifact is called: the last part of its name. A browser would change the rest.
std::string_view download_name(std::string_view artifact);

}  // namespace drover::api
