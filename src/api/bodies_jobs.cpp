#include <algorithm>
#include <array>
#include <iterator>

#include "drover/base/text.hpp"

#include "bodies.hpp"

namespace drover::api {
namespace {

using schema::fields_of;
using schema::Nullable;
using schema::Said;
using schema::shown;
using schema::Table;
using schema::Time;
using schema::Whole;

constexpr std::array<std::string_view, 6> kOutcomes{"succeeded", "failure", "interruption",
                                                    "infra",     "stopped", "returned"};
constexpr schema::Enum<core::Outcome> kOutcome{kOutcomes, core::parse_outcome};

struct Suspect {
  Seconds alone{0};
  int charges = 0;
};

const Table<Suspect>& suspect_table() {
  static const Table<Suspect> table{
      "Suspect",
      Table<Suspect>::Use::answer,
      "The job's last attempt broke with its machine, perhaps by the job's doing: the next one has a worker "
      "to "
      "itself.",
      {shown<Suspect>("alone_s", &Suspect::alone, Whole{},
                      "Seconds that it has one so, unless it ends before."),
       shown<Suspect>("charges", &Suspect::charges, Whole{},
                      "How often its machine broke while nothing else ran on it.")}};
  return table;
}

std::optional<Suspect> suspect_of(const ports::JobRow& row) {
  if (row.alone == Seconds{0} || core::is_final(row.state)) return std::nullopt;
  return Suspect{row.alone, row.charges};
}

std::vector<schema::Field<ports::JobRow>> job_fields() {
  using Row = ports::JobRow;
  std::vector<schema::Field<Row>> fields{
      shown<Row>(
          "id", [](const Row& row) { return to_string(row.id); }, Said{"uuid"}),
      shown<Row>(
          "number", [](const Row& row) { return row.number.value; }, Whole{1}),
      shown<Row>("state", &Row::state, schema::job_state())};
  for (schema::Field<Row>& one : fields_of<Row>(schema::job_spec_table(), &Row::spec)) {
    if (one.name != "hold") fields.push_back(std::move(one));  // the state says whether a job is held
  }
  const std::vector<schema::Field<Row>> rest{
      shown<Row>("attempts", &Row::attempts, Whole{}, "The open one included."),
      shown<Row>("counters", &Row::counters, schema::Record{schema::counters_table()}),
      shown<Row>("reason", &Row::reason, Nullable{Said{}}, "Why it is in this state."),
      shown<Row>("exit_code", &Row::exit_code, Nullable{Whole{}}, "Of the latest ended attempt."),
      shown<Row>("signal", &Row::signal, Nullable{Whole{}}, "Of the latest ended attempt."),
      shown<Row>("worker", &Row::worker, Nullable{Said{}}, "Instance id, while it runs."),
      shown<Row>("created_at", &Row::created, Time{}),
      shown<Row>("started_at", &Row::started, Nullable{Time{}}, "Of the latest attempt."),
      shown<Row>("finished_at", &Row::finished, Nullable{Time{}}),
      shown<Row>("revision", &Row::revision, Whole{}, "Counts edits by people; the ETag."),
      shown<Row>("suspect", suspect_of, Nullable{schema::Record{suspect_table()}})};
  std::copy(rest.begin(), rest.end(), std::back_inserter(fields));
  return fields;
}

// Each reason has a code, a message and figures of its own.
struct Reasons {
  static Json write(const std::vector<services::Reason>& reasons) {
    struct ToJson {
      Json operator()(std::monostate) const { return {}; }
      Json operator()(std::int64_t number) const { return number; }
      Json operator()(const std::string& text) const { return text; }
    };
    Json out = Json::array();
    for (const services::Reason& reason : reasons) {
      Json entry = Json::object();
      entry.set("code", reason.code).set("message", reason.message);
      for (const auto& [name, value] : reason.facts) entry.set(name, std::visit(ToJson{}, value));
      out.push(std::move(entry));
    }
    return out;
  }
  static Json describe(schema::Components& components) {
    Json text = Said{}.describe(components);
    Json members = Json::object().set("code", text).set("message", text);
    Json required = Json::array().push("code").push("message");
    return schema::describe_list(schema::object_schema("And the figures of the message, by name.",
                                                       std::move(members), std::move(required), false),
                                 1, SIZE_MAX);
  }
};

}  // namespace

const Table<ports::JobRow>& job_table() {
  static const Table<ports::JobRow> table{"Job", Table<ports::JobRow>::Use::answer, "A job as it is now.",
                                          job_fields()};
  return table;
}

const Table<ports::AttemptRow>& attempt_table() {
  using Row = ports::AttemptRow;
  static const Table<Row> table{
      "Attempt",
      Table<Row>::Use::answer,
      "One run of a job on one worker.",
      {shown<Row>("attempt", &Row::attempt, Whole{1}),
       shown<Row>("worker", &Row::instance_id, Said{}, "Instance id."),
       shown<Row>(
           "worker_number", [](const Row& row) { return row.worker.value; }, Whole{}),
       shown<Row>("started_at", &Row::started, Time{}),
       shown<Row>("ended_at", &Row::ended, Nullable{Time{}}, "Null: it is open."),
       shown<Row>("outcome", &Row::outcome, Nullable{kOutcome}),
       shown<Row>("exit_code", &Row::exit_code, Nullable{Whole{}}),
       shown<Row>("signal", &Row::signal, Nullable{Whole{}}),
       shown<Row>("reason", &Row::reason, Nullable{Said{}})}};
  return table;
}

const Table<ports::ArtifactRow>& artifact_table() {
  using Row = ports::ArtifactRow;
  static const Table<Row> table{
      "Artifact",
      Table<Row>::Use::answer,
      "A file that a job left.",
      {shown<Row>("name", &Row::name, Said{}), shown<Row>("attempt", &Row::attempt, Whole{1}),
       shown<Row>("size", &Row::size, Whole{0}, "Bytes."),
       shown<Row>(
           "sha256", [](const Row& row) { return to_hex(row.sha256); }, Said{}, "In hexadecimal."),
       shown<Row>("created_at", &Row::created, Time{})}};
  return table;
}

const Table<services::Explanation>& explanation_table() {
  using Told = services::Explanation;
  static const Table<Told> table{
      "Explanation",
      Table<Told>::Use::answer,
      "Why a job is where it is.",
      {shown<Told>(
           "number", [](const Told& told) { return told.number.value; }, Whole{1}),
       shown<Told>("state", &Told::state, schema::job_state()),
       shown<Told>(
           "summary", [](const Told& told) { return told.reasons.front().message; }, Said{},
           "One sentence: the message of the first reason."),
       shown<Told>("reasons", &Told::reasons, Reasons{}, "The first is the one that has to go first.")}};
  return table;
}

const Table<JobChange>& job_change_table() {
  static const Table<JobChange> table{
      "JobChange",
      Table<JobChange>::Use::answer,
      "What an action on a job came to.",
      {shown<JobChange>(
           "number", [](const JobChange& change) { return change.number.value; }, Whole{1}),
       shown<JobChange>(
           "state", [](const JobChange& change) { return change.answer.state; }, schema::job_state()),
       shown<JobChange>(
           "changed", [](const JobChange& change) { return change.answer.changed; }, schema::Flag{},
           "False: it was so already.")}};
  return table;
}

}  // namespace drover::api
