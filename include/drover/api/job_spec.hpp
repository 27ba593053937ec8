#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/json.hpp"
#include "drover/base/result.hpp"
#include "drover/services/jobs.hpp"

namespace drover::api {

// A job as a client describes it, checked against every bound, so that the store refuses nothing later. Pure.
// The error is Errc::invalid; its field is the member's dotted name behind `path`, the job's own name ("[3]":
// "[3].task.env.X"; "": "task.env.X"). Unknown members are refused.
Result<services::JobDraft> parse_job_draft(const Json& json, std::string_view path);

// One object, or an array of them. too_large, before they are looked at, for more than
// limits::kJobsPerRequest.
Result<std::vector<services::JobDraft>> parse_job_drafts(const Json& json);

// A task's members once parsed; `args` is empty when there is a command.
struct Task {
  std::string command;
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
};
// {"command": "shell text"} or {"args": ["program", …]}, both with optional "env"; `field` is the task's own
// dotted name.
Result<Task> parse_task(const Json& json, const std::string& field);

// The names of queues and pools.
inline constexpr std::string_view kShortNameRule =
    "must be 1 to 128 letters, digits, dots, underscores or hyphens, and not \".\" or \"..\"";
[[nodiscard]] bool valid_short_name(std::string_view text);

}  // namespace drover::api
