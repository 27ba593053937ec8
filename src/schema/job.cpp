#include "drover/schema/job.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

namespace drover::schema {
namespace {

constexpr std::int64_t kTimeoutMax = 10LL * 366 * 24 * 3600;  // ten years, in seconds
constexpr std::int64_t kBackoffMax = 3600;                    // seconds; what core caps the delay at
constexpr int kMaxAttempts = 1000;
constexpr int kMaxInterruptions = 1'000'000;
constexpr std::size_t kLabelKeyCharacters = 128;

bool environment_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), good);
}

// Whether the kernel takes the text as one argument, a shell variable can hold it, and it can be stored.
bool fits_argument(std::string_view text) {
  return text.size() <= limits::kArgumentBytes && text.find('\0') == std::string_view::npos &&
         storable_text(text);
}

std::string argument_rule() {
  return fmt::format("must have at most {} bytes and no NUL", limits::kArgumentBytes);
}

Json argument_schema() {
  Json out = Json::object();
  return std::move(
      out.set("type", "string").set("x-maxBytes", static_cast<std::int64_t>(limits::kArgumentBytes)));
}

// One string of a program's command line: the shell's text, or an argument.
struct Argument {
  std::string_view empty = {};  // the error for an empty text; if empty, that is allowed

  void read(const Place& at, const Json& value, std::string& out) const {
    const std::string* text = value.if_string();
    if (text == nullptr) return at.wrong_type("string", value);
    if (text->empty() && !empty.empty()) return at.fail(empty);
    if (!fits_argument(*text)) return at.fail(argument_rule());
    out = *text;
  }
  static bool restore(const Json& value, std::string& out) { return Said{}.restore(value, out); }
  [[nodiscard]] static Json write(const std::string& value) { return value; }
  [[nodiscard]] Json describe(Components& /*components*/) const {
    Json out = argument_schema();
    if (!empty.empty()) out.set("minLength", 1);
    return out;
  }
};

// A program and its arguments.
struct Arguments {
  static constexpr std::string_view kNoProgram = "must name a program";
  using Values = std::vector<std::string>;

  static void read(const Place& at, const Json& value, Values& out) {
    const Json::Array* array = value.if_array();
    if (array == nullptr) return at.wrong_type("array", value);
    if (array->empty()) return at.fail(kNoProgram);
    for (std::size_t i = 0; i < array->size() && !at.failed(); ++i) {
      Argument{i == 0 ? kNoProgram : std::string_view()}.read(at.element(i), (*array)[i], out.emplace_back());
    }
  }
  static bool restore(const Json& value, Values& out) { return List{Said{}}.restore(value, out); }
  [[nodiscard]] static Json write(const Values& values) { return List{Said{}}.write(values); }
  [[nodiscard]] static Json describe(Components& /*components*/) {
    return describe_list(argument_schema(), 1, SIZE_MAX);
  }
};

struct Environment {
  using Values = std::vector<std::pair<std::string, std::string>>;

  static void read(const Place& at, const Json& value, Values& out) {
    const Json::Object* object = value.if_object();
    if (object == nullptr) return at.wrong_type("object", value);
    for (const Json::Member& member : *object) {
      const Place here = at.member(member.key);
      const std::string* text = member.value.if_string();
      if (!environment_name(member.key)) {
        return here.fail("is not an environment name: letters, digits and underscores, no digit first");
      }
      if (text == nullptr) return here.wrong_type("string", member.value);
      if (!fits_argument(*text) || member.key.size() + 1 + text->size() > limits::kArgumentBytes) {
        return here.fail(fmt::format("and its value together {}", argument_rule()));
      }
      out.emplace_back(member.key, *text);
    }
  }
  static bool restore(const Json& value, Values& out) { return Pairs{}.restore(value, out); }
  [[nodiscard]] static Json write(const Values& values) { return Pairs{}.write(values); }
  [[nodiscard]] static Json describe(Components& /*components*/) {
    Json name = Json::object().set("pattern", "^[A-Za-z_][A-Za-z0-9_]*$");
    Json out = Json::object().set("type", "object").set("propertyNames", std::move(name));
    return std::move(out.set("additionalProperties", Json::object().set("type", "string")));
  }
};

Json one_of_required(std::initializer_list<std::string_view> members) {
  Json each = Json::array();
  for (const std::string_view member : members)
    each.push(Json::object().set("required", Json::array().push(member)));
  return Json::object().set("oneOf", std::move(each));
}

// A task is kept as the client's own text, since PostgreSQL's jsonb, or a struct, would change its numbers
// and the order of its members.
struct TaskText {
  static void read(const Place& at, const Json& value, std::string& out) {
    Task task;
    task_table().read(at, value, task);
    if (at.failed()) return;
    out = value.dump();
    if (out.size() > limits::kTaskBytes) {
      at.fail(fmt::format("must have at most {} bytes; keep large input in a file that the job fetches",
                          limits::kTaskBytes));
    }
  }
  static bool restore(const Json& value, std::string& out) {
    out = value.dump();
    return true;
  }
  [[nodiscard]] static Json write(const std::string& text) { return parse_json(text).value_or(Json()); }
  [[nodiscard]] static Json describe(Components& components) { return task_table().describe(components); }
};

}  // namespace

const Table<Task>& task_table() {
  static const Table<Task> table{
      "Task",
      Table<Task>::Use::request,
      "What a job runs: either `command` or `args`; at most 262144 bytes in all.",
      {field<Task>("command", &Task::command, Argument{"must not be empty"},
                   "Shell text, at most 131071 bytes, no NUL.")
           .only_when([](const Task& task) { return task.args.empty(); }),
       field<Task>("args", &Task::args, Arguments{},
                   "A program, not empty, and its arguments; each at most 131071 bytes, no NUL.")
           .only_when([](const Task& task) { return !task.args.empty(); }),
       field<Task>("env", &Task::env, Environment{},
                   "Environment variables; each name and value together at most 131070 bytes, no NUL.")},
      [](const Place& at, const Json& given, const Task&) {
        if ((given.find("command") == nullptr) == (given.find("args") == nullptr))
          at.fail("must have either \"command\" or \"args\"");
      },
      one_of_required({"command", "args"})};
  return table;
}

Result<Task> parse_task(const Json& json, std::string_view field) {
  Task task;
  if (Status read = task_table().read(json, task, field); !read.ok()) return read.error();
  return task;
}

const Table<core::Resources>& resources_table() {
  using core::Resources;
  static const Table<Resources> table{
      "Resources",
      Table<Resources>::Use::request,
      "Kept with the job and shown; nothing is scheduled by them yet: a job takes one slot of any worker of "
      "its queue.",
      {field<Resources>("cpus", &Resources::cpus, Number{0, 65'536, true}, "Processors."),
       field<Resources>("mem_mib", &Resources::mem_mib, Whole{0, limits::kMebibytes}, "MiB of memory."),
       field<Resources>("disk_mib", &Resources::disk_mib, Whole{0, limits::kMebibytes}, "MiB of disk."),
       field<Resources>("gpus", &Resources::gpus, Whole{0, 1024})}};
  return table;
}

const Table<core::RetryRules>& retry_table() {
  using core::RetryRules;
  static const Table<RetryRules> table{
      "Retry",
      Table<RetryRules>::Use::request,
      "When a job runs again after it failed.",
      {field<RetryRules>("max_attempts", &RetryRules::max_attempts, Whole{1, kMaxAttempts},
                         "Failures allowed in all; absent: the tunable `default_max_attempts`.")
           .only_when([](const RetryRules& rules) { return rules.max_attempts != core::kUnsaidAttempts; }),
       field<RetryRules>("max_interruptions", &RetryRules::max_interruptions,
                         Nullable{Whole{0, kMaxInterruptions}}, "Absent or null: unlimited."),
       field<RetryRules>("backoff_s", &RetryRules::backoff, Whole{0, kBackoffMax},
                         "Seconds before the second attempt; twice as long before each further one.")}};
  return table;
}

const Table<core::Counters>& counters_table() {
  using core::Counters;
  static const Table<Counters> table{
      "Counters",
      Table<Counters>::Use::answer,
      "How a job's attempts ended, but for those that succeeded or were stopped.",
      {shown<Counters>("failures", &Counters::failures, Whole{}, "By the job's own doing."),
       shown<Counters>("infra", &Counters::infra, Whole{}, "With their machine or worker, unannounced."),
       shown<Counters>("interruptions", &Counters::interruptions, Whole{},
                       "Because the cloud took the machine, or its end was asked for.")}};
  return table;
}

const Table<core::JobSpec>& job_spec_table() {
  using core::JobSpec;
  static const Table<JobSpec> table{
      "JobSpec",
      Table<JobSpec>::Use::request,
      "A job as a client wants it.",
      {field<JobSpec>("queue", &JobSpec::queue, ShortName{}, "The queue in which the job waits."),
       field<JobSpec>("name", &JobSpec::name, Text{0, limits::kNameCharacters}, "For people and filters."),
       field<JobSpec>("owner", &JobSpec::owner, Text{0, limits::kNameCharacters}, "Whose job it is."),
       field<JobSpec>("priority", &JobSpec::priority, Whole{-limits::kPriorityMax, limits::kPriorityMax},
                      "Higher first."),
       field<JobSpec>("task", &JobSpec::task, TaskText{})
           .need(R"(is required: {"command": "…"} or {"args": ["…"]})"),
       field<JobSpec>("resources", &JobSpec::resources, Record{resources_table()}),
       field<JobSpec>("labels", &JobSpec::labels,
                      Pairs{limits::kLabels, kLabelKeyCharacters, limits::kNameCharacters},
                      "Names and texts of the client's own."),
       field<JobSpec>("retry", &JobSpec::retry, Record{retry_table()}),
       field<JobSpec>("timeout_s", &JobSpec::timeout, Whole{0, kTimeoutMax},
                      "Seconds that one attempt may take; 0: any time."),
       field<JobSpec>("run_at", &JobSpec::run_at, Nullable{Time{}}, "Not before this; from 1970 on."),
       field<JobSpec>("hold", &JobSpec::hold, Flag{}, "Begins held: it waits until it is released.")}};
  return table;
}

Enum<core::JobState> job_state() {
  return {core::job_state_names(), core::parse_job_state, "JobState"};
}

}  // namespace drover::schema
