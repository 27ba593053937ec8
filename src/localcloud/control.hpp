#pragma once

#include "drover/http/router.hpp"

#include "faults.hpp"
#include "fleet.hpp"

namespace drover::localcloud {

// The control interface, by which a test or a curious user interrupts instances and makes calls fail. JSON;
// not authenticated.
void add_control_routes(http::Router& router, Fleet& fleet, Faults& faults);

}  // namespace drover::localcloud
