#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/result.hpp"
#include "drover/core/job/job.hpp"
#include "drover/schema/table.hpp"

// What a job consists of, as clients write and read it.
namespace drover::schema {

// What a job runs; `args` is empty when there is a command.
struct Task {
  std::string command;
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
};

// {"command": "shell text"} or {"args": ["program", …]}, both with optional "env".
const Table<Task>& task_table();
// `field` is the task's own dotted name, for the error.
Result<Task> parse_task(const Json& json, std::string_view field);

// A job as a client describes it, checked against every bound, so that the store refuses nothing later.
const Table<core::JobSpec>& job_spec_table();
const Table<core::Resources>& resources_table();
const Table<core::RetryRules>& retry_table();
const Table<core::Counters>& counters_table();

// The states of jobs, as a kind with a schema of its own.
[[nodiscard]] Enum<core::JobState> job_state();

}  // namespace drover::schema
