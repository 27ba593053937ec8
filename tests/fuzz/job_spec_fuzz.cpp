// Jobs as clients describe them: what is accepted fits the store, and comes back the same from what is
// rendered of it.
#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

#include "api/bodies.hpp"
#include "fuzz/property.hpp"

using drover::Json;
using drover::fuzz::hold;

namespace {

void check_text(const std::string& text, std::size_t limit) {
  hold(drover::storable_text(text), "text that the store refuses");
  hold(text.size() <= limit, "text beyond its bound");
}

void check_characters(const std::string& text, std::size_t limit) {
  hold(drover::storable_text(text), "text that the store refuses");
  hold(drover::characters(text) <= limit, "text beyond its bound");
}

void check_task(const std::string& text) {
  check_text(text, drover::limits::kTaskBytes);
  const auto json = drover::parse_json(text);
  hold(json.ok() && json->dump() == text, "the stored task is no JSON of ours");
  const auto task = drover::schema::parse_task(*json, "task");
  hold(task.ok(), "the stored task does not parse");
  hold(task->command.empty() != task->args.empty(), "neither a command nor arguments, or both");
  check_text(task->command, drover::limits::kArgumentBytes);
  for (const std::string& argument : task->args) check_text(argument, drover::limits::kArgumentBytes);
  for (const auto& [name, value] : task->env) {
    hold(!name.empty() && name.find('=') == std::string::npos, "a name that is none for the environment");
    check_text(name + "=" + value, drover::limits::kArgumentBytes);
  }
}

void check_spec(const drover::core::JobSpec& spec) {
  hold(drover::schema::valid_short_name(spec.queue), "a queue without a proper name");
  check_characters(spec.name, drover::limits::kNameCharacters);
  check_characters(spec.owner, drover::limits::kNameCharacters);
  hold(std::abs(spec.priority) <= drover::limits::kPriorityMax, "a priority out of range");
  hold(spec.labels.size() <= drover::limits::kLabels, "too many labels");
  for (const auto& [key, value] : spec.labels) {
    hold(!key.empty(), "a label without a name");
    check_characters(key, 128);
    check_characters(value, drover::limits::kNameCharacters);
  }
  const auto& needs = spec.resources;
  hold(needs.cpus > 0 && needs.cpus <= 65'536, "processors out of range");
  hold(needs.mem_mib >= 0 && needs.disk_mib >= 0 && needs.gpus >= 0, "a resource below zero");
  hold(spec.retry.max_attempts >= 1 && spec.retry.max_attempts <= 1000, "attempts out of range");
  hold(spec.retry.max_interruptions.value_or(0) >= 0, "interruptions out of range");
  hold(spec.retry.backoff.count() >= 0 && spec.retry.backoff.count() <= 3600, "a backoff out of range");
  hold(spec.timeout.count() >= 0, "a timeout below zero");
  if (spec.run_at) hold(*spec.run_at >= drover::WallTime{}, "a time before 1970");
  check_task(spec.task);
}

// The members of a job that a client may write; the others are the daemon's.
Json writable(const Json& job, bool hold_it) {
  Json out = Json::object();
  for (const std::string_view key : {"queue", "name", "owner", "priority", "task", "resources", "labels",
                                     "retry", "timeout_s", "run_at"}) {
    const Json* value = job.find(key);
    hold(value != nullptr, "a member is not rendered:", key);
    out.set(std::string(key), *value);
  }
  return std::move(out.set("hold", hold_it));
}

bool same(const drover::core::JobSpec& a, const drover::core::JobSpec& b) {
  return a.queue == b.queue && a.name == b.name && a.owner == b.owner && a.priority == b.priority &&
         a.task == b.task && a.resources == b.resources && a.labels == b.labels && a.retry == b.retry &&
         a.timeout == b.timeout && a.run_at == b.run_at && a.hold == b.hold;
}

// With what it does not say itself.
drover::core::JobSpec completed(const drover::core::JobSpec& draft) {
  drover::core::JobSpec spec = draft;
  if (spec.retry.max_attempts == drover::core::kUnsaidAttempts) spec.retry.max_attempts = 2;
  return spec;
}

void check_round_trip(const drover::core::JobSpec& spec) {
  const auto now = drover::WallTime{drover::Seconds{1'767'323'045}};
  drover::ports::JobRow row;
  row.number = drover::JobNumber{7};
  row.id = drover::make_job_id(row.number, now, 1);
  row.spec = spec;
  row.created = now;
  const std::string text = drover::api::job_table().write(row).dump();
  const auto job = drover::parse_json(text);
  hold(job.ok(), "a rendered job is no JSON:", text);
  const auto again = drover::api::parse_jobs(writable(*job, spec.hold));
  hold(again.ok(), "a rendered job is refused:", text);
  hold(same(completed(again->front()), spec), "a rendered job reads as another:", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = drover::parse_json(drover::fuzz::text_of(data, size));
  if (!json.ok()) return 0;
  const auto drafts = drover::api::parse_jobs(*json);
  if (!drafts.ok()) {
    const drover::Error& error = drafts.error();
    hold(error.code == drover::Errc::invalid || error.code == drover::Errc::too_large,
         "an error of another kind");
    hold(!error.message.empty() && drover::storable_text(error.message), "an error without a proper message");
    return 0;
  }
  hold(!drafts->empty(), "a request for no job was taken");
  for (const auto& draft : *drafts) {
    const drover::core::JobSpec spec = completed(draft);
    check_spec(spec);
    check_round_trip(spec);
  }
  return 0;
}
