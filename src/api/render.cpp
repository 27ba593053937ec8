#include "drover/api/render.hpp"

#include <cmath>
#include <utility>

#include "drover/base/text.hpp"

namespace drover::api {
namespace {

Json time_json(const std::optional<WallTime>& time) {
  return time ? Json(to_rfc3339(*time)) : Json();
}
Json text_json(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}
Json int_json(const std::optional<int>& value) {
  return value ? Json(*value) : Json();
}

// 2, not 2.0: whole processors are what people write.
Json number_json(double value) {
  constexpr double kExact = 9.0e15;
  if (value == std::floor(value) && std::fabs(value) < kExact) return Json(static_cast<std::int64_t>(value));
  return Json(value);
}

Json list_json(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const std::string& value : values) out.push(value);
  return out;
}

Json resources_json(const core::Resources& resources) {
  Json out = Json::object();
  out.set("cpus", number_json(resources.cpus))
      .set("mem_mib", resources.mem_mib)
      .set("disk_mib", resources.disk_mib);
  return std::move(out.set("gpus", resources.gpus));
}

Json labels_json(const core::Labels& labels) {
  Json out = Json::object();
  for (const auto& [key, value] : labels) out.set(key, value);
  return out;
}

Json retry_json(const core::RetryRules& retry) {
  Json out = Json::object();
  out.set("max_attempts", retry.max_attempts).set("max_interruptions", int_json(retry.max_interruptions));
  return std::move(out.set("backoff_s", static_cast<std::int64_t>(retry.backoff.count())));
}

Json counters_json(const core::Counters& counters) {
  Json out = Json::object();
  out.set("failures", counters.failures).set("infra", counters.infra);
  return std::move(out.set("interruptions", counters.interruptions));
}

// Its last attempt broke with its machine: how long the next has a worker to itself, and how often it broke
// one so.
Json suspect_json(const ports::JobRow& row) {
  if (row.alone == Seconds{0} || core::is_final(row.state)) return {};
  Json out = Json::object();
  return std::move(
      out.set("alone_s", static_cast<std::int64_t>(row.alone.count())).set("charges", row.charges));
}

}  // namespace

Json job_json(const ports::JobRow& row) {
  const core::JobSpec& spec = row.spec;
  Result<Json> task = parse_json(spec.task);
  Json out = Json::object();
  out.set("id", to_string(row.id)).set("number", row.number.value).set("state", to_string(row.state));
  out.set("queue", spec.queue).set("name", spec.name).set("owner", spec.owner).set("priority", spec.priority);
  out.set("task", task.ok() ? std::move(*task) : Json());
  out.set("resources", resources_json(spec.resources)).set("labels", labels_json(spec.labels));
  out.set("retry", retry_json(spec.retry)).set("timeout_s", static_cast<std::int64_t>(spec.timeout.count()));
  out.set("run_at", time_json(spec.run_at)).set("attempts", row.attempts);
  out.set("counters", counters_json(row.counters)).set("reason", text_json(row.reason));
  out.set("exit_code", int_json(row.exit_code)).set("signal", int_json(row.signal));
  out.set("worker", text_json(row.worker));
  out.set("created_at", to_rfc3339(row.created)).set("started_at", time_json(row.started));
  out.set("finished_at", time_json(row.finished)).set("revision", row.revision);
  return std::move(out.set("suspect", suspect_json(row)));
}

Json attempt_json(const ports::AttemptRow& row) {
  Json out = Json::object();
  out.set("attempt", row.attempt).set("worker", row.instance_id).set("worker_number", row.worker.value);
  out.set("started_at", to_rfc3339(row.started)).set("ended_at", time_json(row.ended));
  out.set("outcome", row.outcome ? Json(to_string(*row.outcome)) : Json());
  out.set("exit_code", int_json(row.exit_code)).set("signal", int_json(row.signal));
  return std::move(out.set("reason", text_json(row.reason)));
}

Json artifact_json(const ports::ArtifactRow& row) {
  Json out = Json::object();
  out.set("name", row.name)
      .set("attempt", row.attempt)
      .set("size", row.size)
      .set("sha256", to_hex(row.sha256));
  return std::move(out.set("created_at", to_rfc3339(row.created)));
}

Json worker_json(const ports::WorkerRow& row, std::optional<int> running) {
  Json out = Json::object();
  out.set("number", row.id.value).set("instance_id", row.instance_id).set("pool", row.pool_name);
  out.set("state", to_string(row.state)).set("slots", row.slots).set("running", int_json(running));
  out.set("queues", list_json(row.queues)).set("resources", resources_json(row.capacity));
  out.set("hostname", text_json(row.hostname)).set("instance_type", text_json(row.instance_type));
  out.set("zone", text_json(row.zone));
  out.set("market", to_string(row.spot ? core::Market::spot : core::Market::on_demand));
  out.set("reason", text_json(row.reason)).set("created_at", to_rfc3339(row.created));
  out.set("registered_at", time_json(row.registered)).set("last_seen_at", time_json(row.last_seen));
  return std::move(
      out.set("ended_at", time_json(row.ended)).set("notice_until", time_json(row.notice_until)));
}

Json pool_json(const ports::PoolRow& row) {
  const core::PoolSpec& spec = row.spec;
  Json out = Json::object();
  out.set("name", spec.name).set("provider", to_string(spec.provider)).set("queues", list_json(spec.queues));
  out.set("min", spec.min).set("max", spec.max).set("slots", spec.slots);
  out.set("instances_per_job", number_json(spec.instances_per_job)).set("max_increase", spec.max_increase);
  out.set("idle_timeout_s", static_cast<std::int64_t>(spec.idle_timeout.count()));
  out.set("registration_timeout_s", static_cast<std::int64_t>(spec.registration_timeout.count()));
  out.set("market", to_string(spec.market)).set("image", spec.image);
  out.set("instance_types", list_json(spec.instance_types)).set("subnets", list_json(spec.subnets));
  out.set("security_groups", list_json(spec.security_groups)).set("instance_profile", spec.instance_profile);
  out.set("key_name", spec.key_name).set("max_price", spec.max_price).set("disk_gib", spec.disk_gib);
  out.set("tags", labels_json(spec.tags));
  return std::move(out.set("blocked_reason", text_json(row.blocked_reason)).set("version", row.version));
}

Json tunables_json(const core::Tunables& tunables) {
  Json out = Json::object();
  for (const auto& [key, text] : core::tunable_values(tunables))
    out.set(key, parse_json(text).value_or(Json()));
  return out;
}

Json explanation_json(const services::Explanation& explanation) {
  struct ToJson {
    Json operator()(std::monostate) const { return {}; }
    Json operator()(std::int64_t number) const { return number; }
    Json operator()(const std::string& text) const { return text; }
  };
  Json reasons = Json::array();
  for (const services::Reason& reason : explanation.reasons) {
    Json entry = Json::object();
    entry.set("code", reason.code).set("message", reason.message);
    for (const auto& [name, value] : reason.facts) entry.set(name, std::visit(ToJson{}, value));
    reasons.push(std::move(entry));
  }
  Json out = Json::object();
  out.set("number", explanation.number.value).set("state", to_string(explanation.state));
  out.set("summary", explanation.reasons.front().message);
  return std::move(out.set("reasons", std::move(reasons)));
}

std::string_view download_name(std::string_view artifact) {
  if (artifact == ports::kCheckpointName) return ports::kOldCheckpointName;
  return split(artifact, '/').back();
}

std::string attachment(std::string_view name) {
  std::string safe;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    safe += byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\' || c == '/' || c == '%' ? '_' : c;
  }
  return "attachment; filename=\"" + safe + "\"; filename*=UTF-8''" + percent_encode(name);
}

}  // namespace drover::api
