#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "drover/base/limits.hpp"

#include "bodies.hpp"

namespace drover::api {
namespace {

using schema::echoed;
using schema::Field;
using schema::fields_of;
using schema::Flag;
using schema::List;
using schema::Nullable;
using schema::Record;
using schema::Said;
using schema::shown;
using schema::Table;
using schema::Time;
using schema::Whole;

std::vector<Field<ports::PoolRow>> pool_fields() {
  using Row = ports::PoolRow;
  std::vector<Field<Row>> fields = fields_of<Row>(schema::pool_spec_table(), &Row::spec);
  fields.push_back(echoed<Row>("blocked_reason", &Row::blocked_reason, Nullable{Said{}},
                               "Why it launches nothing until it is edited."));
  fields.push_back(echoed<Row>("version", &Row::version, Whole{0}, "Counts its edits; the ETag."));
  return fields;
}

void check_row(const schema::Place& at, const Json& given, const ports::PoolRow& row) {
  schema::check_pool(at, given, row.spec);
}

// A worker's resources, which are not known until it registers.
const Table<core::Resources>& machine_table() {
  using R = core::Resources;
  static const Table<R> table{
      "MachineResources",
      Table<R>::Use::answer,
      "What a machine has, as its worker told; nothing until it has registered.",
      {shown<R>("cpus", &R::cpus, schema::Number{0, 65'536}, "Processors."),
       shown<R>("mem_mib", &R::mem_mib, Whole{0}, "MiB of memory."),
       shown<R>("disk_mib", &R::disk_mib, Whole{0}, "MiB of disk."), shown<R>("gpus", &R::gpus, Whole{0})}};
  return table;
}

std::vector<Field<services::WorkerSeen>> worker_fields() {
  using Row = ports::WorkerRow;
  using Seen = services::WorkerSeen;
  const Table<Row> rows{
      "",
      Table<Row>::Use::answer,
      "",
      {shown<Row>(
           "number", [](const Row& row) { return row.id.value; }, Whole{1}),
       shown<Row>("instance_id", &Row::instance_id, Said{}), shown<Row>("pool", &Row::pool_name, Said{}),
       shown<Row>("state", &Row::state, schema::worker_state()),
       shown<Row>("slots", &Row::slots, Whole{0}, "Jobs that it takes at once."),
       shown<Row>("queues", &Row::queues, List{Said{}}, "That it serves."),
       shown<Row>("resources", &Row::capacity, Record{machine_table()}),
       shown<Row>("hostname", &Row::hostname, Nullable{Said{}}),
       shown<Row>("instance_type", &Row::instance_type, Nullable{Said{}}),
       shown<Row>("zone", &Row::zone, Nullable{Said{}}),
       shown<Row>(
           "market", [](const Row& row) { return row.spot ? core::Market::spot : core::Market::on_demand; },
           schema::market()),
       shown<Row>("reason", &Row::reason, Nullable{Said{}}, "Of its last change."),
       shown<Row>("created_at", &Row::created, Time{}),
       shown<Row>("registered_at", &Row::registered, Nullable{Time{}}),
       shown<Row>("last_seen_at", &Row::last_seen, Nullable{Time{}}, "Kept to the minute."),
       shown<Row>("ended_at", &Row::ended, Nullable{Time{}}),
       shown<Row>("notice_until", &Row::notice_until, Nullable{Time{}},
                  "Its machine has an interruption notice and goes by then.")}};
  std::vector<Field<Seen>> fields = fields_of<Seen>(rows, &Seen::row);
  const auto slots =
      std::find_if(fields.begin(), fields.end(), [](const auto& one) { return one.name == "slots"; });
  fields.insert(std::next(slots), shown<Seen>("running", &Seen::running, Nullable{Whole{0}},
                                              "Jobs at this moment; null when not known."));
  return fields;
}

std::vector<Field<QueueShown>> queue_length_fields() {
  using Shown = QueueShown;
  return {shown<Shown>(
              "ready",
              [](const Shown& one) { return one.counting ? std::nullopt : std::optional(one.queue.ready); },
              Nullable{Whole{0}},
              "Jobs that are queued and due; null while they are counted, for some seconds after the daemon "
              "began to lead."),
          shown<Shown>(
              "running", [](const Shown& one) { return one.queue.leased; }, Whole{0}),
          shown<Shown>("counting", &Shown::counting, Flag{}, "Present, and true, while the jobs are counted.")
              .only_when([](const Shown& one) { return one.counting; })};
}

// One tunable, by its row in core's table.
Field<core::Tunables> tunable_field(const core::TunableInfo& info, std::size_t index) {
  using T = core::Tunables;
  Field<T> out{info.key, info.help};
  out.read = [key = info.key](const schema::Place& at, const Json& value, T& to) {
    const Status set = core::set_tunable(to, key, value.dump());
    if (!set.ok()) at.fail_saying(set.error().message);
  };
  out.write = [index](const T& from) {
    return parse_json(core::tunable_values(from)[index].second).value_or(Json());
  };
  out.describe = [&info](schema::Components& components) {
    if (info.type == "number") return schema::Number{info.min, info.max}.describe(components);
    return Whole{static_cast<std::int64_t>(info.min), static_cast<std::int64_t>(info.max)}.describe(
        components);
  };
  return out;
}

std::vector<Field<core::Tunables>> tunable_fields() {
  std::vector<Field<core::Tunables>> out;
  for (const core::TunableInfo& info : core::tunable_table()) out.push_back(tunable_field(info, out.size()));
  return out;
}

}  // namespace

const Table<ports::PoolRow>& pool_table() {
  static const Table<ports::PoolRow> table{"Pool", Table<ports::PoolRow>::Use::answer, "A pool as it is now.",
                                           pool_fields()};
  return table;
}

const Table<ports::PoolRow>& pool_request_table() {
  static const Table<ports::PoolRow> table{"PoolSpec", Table<ports::PoolRow>::Use::request,
                                           "A pool as a client wants it.", pool_fields(), check_row};
  return table;
}

const Table<ports::PoolRow>& new_pool_table() {
  static const Table<ports::PoolRow> table = [] {
    std::vector<Field<ports::PoolRow>> fields = pool_fields();
    fields.front() = std::move(fields.front()).need();
    return Table<ports::PoolRow>{"NewPool", Table<ports::PoolRow>::Use::request, "A pool that is to be made.",
                                 std::move(fields), check_row};
  }();
  return table;
}

Result<core::PoolSpec> parse_pool(const Json& body, core::PoolSpec present, std::string_view name) {
  // The name of a pool that exists is not checked: earlier versions took other names too, and such pools must
  // stay editable.
  const bool there = present.name == name;
  if (!name.empty() && !there && !schema::valid_short_name(name)) {
    return invalid("name", fmt::format("name {}", schema::kShortNameRule));
  }
  ports::PoolRow row;
  row.spec = std::move(present);
  if (!name.empty()) row.spec.name = name;
  const Table<ports::PoolRow>& table = name.empty() ? new_pool_table() : pool_request_table();
  if (const Status read = table.read(body, row); !read.ok()) return read.error();
  if (!name.empty() && row.spec.name != name) {
    return invalid("name",
                   fmt::format("name must be {}, the pool of the path; a pool cannot be renamed", name));
  }
  return row.spec;
}

const Table<services::WorkerSeen>& worker_table() {
  static const Table<services::WorkerSeen> table{"Worker", Table<services::WorkerSeen>::Use::answer,
                                                 "One machine that runs jobs.", worker_fields()};
  return table;
}

const Table<WorkerChange>& worker_change_table() {
  static const Table<WorkerChange> table = [] {
    std::vector<Field<WorkerChange>> fields = fields_of<WorkerChange>(worker_table(), &WorkerChange::worker);
    fields.push_back(
        shown<WorkerChange>("changed", &WorkerChange::changed, Flag{}, "False: it was so already."));
    return Table<WorkerChange>{"WorkerChange", Table<WorkerChange>::Use::answer,
                               "The worker after an action on it.", std::move(fields)};
  }();
  return table;
}

const Table<QueueShown>& queue_table() {
  static const Table<QueueShown> table = [] {
    std::vector<Field<QueueShown>> fields = queue_length_fields();
    fields.insert(fields.begin(), shown<QueueShown>("name", &QueueShown::name, Said{}));
    return Table<QueueShown>{"Queue", Table<QueueShown>::Use::answer, "A queue and its length.",
                             std::move(fields)};
  }();
  return table;
}

const Table<QueueShown>& queue_length_table() {
  static const Table<QueueShown> table{"QueueLength", Table<QueueShown>::Use::answer,
                                       "How many jobs a queue has.", queue_length_fields()};
  return table;
}

const Table<core::Tunables>& tunables_table() {
  static const Table<core::Tunables> table{
      "Tunables", Table<core::Tunables>::Use::request,
      "What can be changed while the daemon runs. A request changes what it names.", tunable_fields()};
  return table;
}

}  // namespace drover::api
