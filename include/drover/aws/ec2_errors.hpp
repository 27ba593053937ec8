#pragma once

#include <string_view>

#include "drover/core/fleet/cloud_error.hpp"

namespace drover::aws {

// What an EC2 (or STS) error code means for what to do next. The code decides; the HTTP status only where the
// code is empty or not known here (an exhausted pool comes with status 500, and is no server error). A
// leading "Client." or "Server." is ignored.
core::CloudErrorClass classify_ec2_error(std::string_view code, int http_status);

}  // namespace drover::aws
