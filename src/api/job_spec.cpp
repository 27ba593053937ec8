#include "drover/api/job_spec.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

#include "fields.hpp"

namespace drover::api {
namespace {

constexpr std::int64_t kTimeoutMax = 10LL * 366 * 24 * 3600;  // ten years, in seconds
constexpr std::int64_t kBackoffMax = 3600;                    // seconds; what core caps the delay at
constexpr std::size_t kLabelKeyCharacters = 128;

bool environment_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), good);
}

// What the kernel takes as one string, and what a shell variable can hold.
bool fits_argument(std::string_view text) {
  return text.size() <= limits::kArgumentBytes && text.find('\0') == std::string_view::npos &&
         storable_text(text);
}

std::string argument_rule() {
  return fmt::format("must have at most {} bytes and no NUL", limits::kArgumentBytes);
}

void read_command(Fields& fields, const Json& value, Task& task) {
  const std::string* text = value.if_string();
  if (text == nullptr) return fields.wrong_type("command", "string", value);
  if (text->empty()) return fields.fail("command", "must not be empty");
  if (!fits_argument(*text)) return fields.fail("command", argument_rule());
  task.command = *text;
}

void read_args(Fields& fields, const Json& value, Task& task) {
  const Json::Array* array = value.if_array();
  if (array == nullptr) return fields.wrong_type("args", "array", value);
  if (array->empty()) return fields.fail("args", "must name a program");
  for (std::size_t i = 0; i < array->size(); ++i) {
    const std::string* text = (*array)[i].if_string();
    const std::string element = fmt::format("args[{}]", i);
    if (text == nullptr) return fields.wrong_type(element, "string", (*array)[i]);
    if (i == 0 && text->empty()) return fields.fail(element, "must name a program");
    if (!fits_argument(*text)) return fields.fail(element, argument_rule());
    task.args.push_back(*text);
  }
}

void read_environment(Fields& fields, const Json& value, Task& task) {
  const Json::Object* object = value.if_object();
  if (object == nullptr) return fields.wrong_type("env", "object", value);
  for (const Json::Member& member : *object) {
    const std::string key = "env." + member.key;
    const std::string* text = member.value.if_string();
    if (!environment_name(member.key)) {
      return fields.fail(key, "is not an environment name: letters, digits and underscores, no digit first");
    }
    if (text == nullptr) return fields.wrong_type(key, "string", member.value);
    if (!fits_argument(*text) || member.key.size() + 1 + text->size() > limits::kArgumentBytes) {
      return fields.fail(key, fmt::format("and its value together {}", argument_rule()));
    }
    task.env.emplace_back(member.key, *text);
  }
}

void read_task(Fields& fields, core::JobSpec& spec) {
  const Json* value = fields.any("task");
  if (value == nullptr)
    return fields.fail("task", "is required: {\"command\": \"…\"} or {\"args\": [\"…\"]}");
  Result<Task> task = parse_task(*value, fields.name("task"));
  if (!task.ok()) return fields.fail(task.error());
  spec.task = value->dump();
  if (spec.task.size() > limits::kTaskBytes) {
    fields.fail("task",
                fmt::format("must have at most {} bytes; keep large input in a file that the job fetches",
                            limits::kTaskBytes));
  }
}

void read_resources(Fields& fields, core::Resources& out) {
  const Json* value = fields.any("resources");
  if (value == nullptr) return;
  Fields members(*value, fields.name("resources"));
  if (members.number("cpus", out.cpus, 0, 65'536) && out.cpus <= 0) members.fail("cpus", "must be above 0");
  members.integer("mem_mib", out.mem_mib, 0, limits::kMebibytes);
  members.integer("disk_mib", out.disk_mib, 0, limits::kMebibytes);
  members.integer("gpus", out.gpus, 0, 1024);
  if (Status done = members.finish(); !done.ok()) fields.fail(done.error());
}

void read_labels(Fields& fields, core::Labels& out) {
  const Json* value = fields.any("labels");
  if (value == nullptr) return;
  const Json::Object* object = value->if_object();
  if (object == nullptr) return fields.wrong_type("labels", "object", *value);
  if (object->size() > limits::kLabels) {
    return fields.fail("labels", fmt::format("must have at most {} members", limits::kLabels));
  }
  for (const Json::Member& member : *object) {
    const std::string key = "labels." + member.key;
    const std::string* text = member.value.if_string();
    if (member.key.empty() || characters(member.key) > kLabelKeyCharacters || !plain_text(member.key)) {
      return fields.fail(
          key, fmt::format("is not a label: 1 to {} characters, none of them control", kLabelKeyCharacters));
    }
    if (text == nullptr) return fields.wrong_type(key, "string", member.value);
    if (characters(*text) > limits::kNameCharacters || !plain_text(*text)) {
      return fields.fail(
          key, fmt::format("must have at most {} characters, none of them control", limits::kNameCharacters));
    }
    out.emplace_back(member.key, *text);
  }
}

void read_retry(Fields& fields, services::JobDraft& draft) {
  const Json* value = fields.any("retry");
  if (value == nullptr) return;
  core::RetryRules& out = draft.spec.retry;
  Fields members(*value, fields.name("retry"));
  if (int limit = 0; members.integer("max_attempts", limit, 1, 1000)) draft.max_attempts = limit;
  if (members.any_but_null("max_interruptions") != nullptr) {
    int limit = 0;
    if (members.integer("max_interruptions", limit, 0, 1'000'000)) out.max_interruptions = limit;
  }
  std::int64_t backoff = out.backoff.count();
  members.integer("backoff_s", backoff, 0, kBackoffMax);
  out.backoff = Seconds(backoff);
  if (Status done = members.finish(); !done.ok()) fields.fail(done.error());
}

void read_run_at(Fields& fields, core::JobSpec& spec) {
  const Json* value = fields.any_but_null("run_at");
  if (value == nullptr) return;
  const std::string* text = value->if_string();
  if (text == nullptr) return fields.wrong_type("run_at", "string", *value);
  spec.run_at = parse_rfc3339(*text);
  if (!spec.run_at || *spec.run_at < WallTime{}) {
    fields.fail("run_at", "must be an RFC 3339 time from 1970 to 9999, such as 2030-01-02T03:04:05Z");
  }
}

}  // namespace

Result<Task> parse_task(const Json& json, const std::string& field) {
  Task task;
  Fields fields(json, field);
  const Json* command = fields.any("command");
  const Json* args = fields.any("args");
  const Json* env = fields.any("env");
  if ((command == nullptr) == (args == nullptr)) {
    fields.fail(invalid(field, fmt::format("{} must have either \"command\" or \"args\"", field)));
  }
  if (command != nullptr) read_command(fields, *command, task);
  if (args != nullptr) read_args(fields, *args, task);
  if (env != nullptr) read_environment(fields, *env, task);
  if (Status done = fields.finish(); !done.ok()) return done.error();
  return task;
}

Result<services::JobDraft> parse_job_draft(const Json& json, std::string_view path) {
  services::JobDraft draft;
  core::JobSpec& spec = draft.spec;
  Fields fields(json, std::string(path));
  fields.short_name("queue", spec.queue);
  fields.text("name", spec.name, 0, limits::kNameCharacters);
  fields.text("owner", spec.owner, 0, limits::kNameCharacters);
  fields.integer("priority", spec.priority, -limits::kPriorityMax, limits::kPriorityMax);
  read_resources(fields, spec.resources);
  read_labels(fields, spec.labels);
  read_retry(fields, draft);
  std::int64_t timeout = 0;
  fields.integer("timeout_s", timeout, 0, kTimeoutMax);
  spec.timeout = Seconds(timeout);
  read_run_at(fields, spec);
  fields.boolean("hold", spec.hold);
  read_task(fields, spec);
  if (Status done = fields.finish(); !done.ok()) return done.error();
  return draft;
}

Result<std::vector<services::JobDraft>> parse_job_drafts(const Json& json) {
  std::vector<services::JobDraft> drafts;
  const Json::Array* array = json.if_array();
  if (array == nullptr) {
    Result<services::JobDraft> draft = parse_job_draft(json, "");
    if (!draft.ok()) return draft.error();
    drafts.push_back(std::move(*draft));
    return drafts;
  }
  if (const Status bounded = services::check_count(array->size()); !bounded.ok()) return bounded.error();
  drafts.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    Result<services::JobDraft> draft = parse_job_draft((*array)[i], fmt::format("[{}]", i));
    if (!draft.ok()) return draft.error();
    drafts.push_back(std::move(*draft));
  }
  return drafts;
}

}  // namespace drover::api
