#pragma once

#include <string>

#include "drover/core/job/job.hpp"

namespace drover::testing {

inline core::JobSpec job_spec(const std::string& name, const std::string& queue = "default") {
  core::JobSpec spec;
  spec.queue = queue;
  spec.name = name;
  spec.task = R"({"command":"true"})";
  return spec;
}

}  // namespace drover::testing
