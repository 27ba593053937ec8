#pragma once

#include <string>
#include <string_view>

#include "drover/core/fleet/facts.hpp"
#include "drover/core/job/job.hpp"

// What is stored as JSON text because nothing searches in it. Reading is lenient: a member that is missing
// (written by an older version) or of another type reads as its default.
namespace drover::postgres {

std::string encode_pool(const core::PoolSpec& spec);
core::PoolSpec decode_pool(std::string_view text);
std::string encode_launch(const core::LaunchRequest& request);
core::LaunchRequest decode_launch(std::string_view text);
// Pairs in their order, as an array of [key, value].
std::string encode_labels(const core::Labels& labels);
core::Labels decode_labels(std::string_view text);

}  // namespace drover::postgres
