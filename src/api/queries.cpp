#include "queries.hpp"

#include "drover/base/text.hpp"
#include "drover/schema/job.hpp"
#include "drover/schema/pool.hpp"

namespace drover::api {
namespace {

using schema::field;
using schema::Flag;

using schema::Nullable;
using schema::Place;
using schema::Said;
using schema::Table;
using schema::Whole;

// JobNumber, WorkerId.
struct NumberOf {
  template <class V>
  static void read(const Place& at, const Json& value, V& out) {
    Whole{1}.read(at, value, out.value);
  }
  template <class V>
  static bool restore(const Json& value, V& out) {
    return Whole{}.restore(value, out.value);
  }
  template <class V>
  static Json write(const V& value) {
    return value.value;
  }
  static Json describe(schema::Components& components) { return Whole{1}.describe(components); }
};

struct AttemptWanted {
  static void read(const Place& at, const Json& value, WhichAttempt& out) {
    const std::string* text = value.if_string();
    out.all = text != nullptr && *text == "all";
    if (out.all) return;
    const std::optional<std::int64_t> number = text == nullptr ? std::nullopt : parse_int(*text);
    if (!number || *number < 1 || *number > INT32_MAX) return at.fail("must be a number or \"all\"");
    out.attempt = static_cast<int>(*number);
  }
  static bool restore(const Json& /*value*/, WhichAttempt& /*out*/) { return false; }
  static Json write(const WhichAttempt& which) { return which.attempt ? Json(*which.attempt) : Json(); }
  static Json describe(schema::Components& components) {
    Json all = Json::object().set("type", "string").set("enum", Json::array().push("all"));
    return Json::object().set("oneOf",
                              Json::array().push(Whole{1}.describe(components)).push(std::move(all)));
  }
};

template <class T>
schema::Field<T> limit_field() {
  return field<T>("limit", &T::limit, Whole{1, limits::kPageRows}, "Rows on a page.");
}
template <class T>
schema::Field<T> before_field() {
  return field<T>("before", &T::before, Nullable{NumberOf{}},
                  "Rows with a number below this; the `next` link has it.");
}
template <class T>
schema::Field<T> after_field() {
  return field<T>("after", &T::after, Said{}, "Names above this one; the `next` link has it.");
}

}  // namespace

const Table<ports::JobFilter>& job_filter_table() {
  using F = ports::JobFilter;
  static const Table<F> table{
      "JobFilter",
      Table<F>::Use::request,
      "",
      {field<F>("state", &F::state, Nullable{schema::job_state()}, "Jobs in this state."),
       field<F>("queue", &F::queue, Nullable{Said{}}, "Jobs of this queue."),
       field<F>("name", &F::name, Nullable{Said{}}, "Jobs of this name."), limit_field<F>(),
       before_field<F>()}};
  return table;
}

const Table<services::WorkerFilter>& worker_filter_table() {
  using F = services::WorkerFilter;
  static const Table<F> table{"WorkerFilter",
                              Table<F>::Use::request,
                              "",
                              {field<F>("state", &F::state, Nullable{schema::worker_state()},
                                        "Workers in this state; `gone` ones are shown only so."),
                               limit_field<F>(), before_field<F>()}};
  return table;
}

const Table<NamesQuery>& queues_query_table() {
  static const Table<NamesQuery> table{"QueuesQuery",
                                       Table<NamesQuery>::Use::request,
                                       "",
                                       {limit_field<NamesQuery>(), after_field<NamesQuery>()}};
  return table;
}

const Table<ArtifactsQuery>& artifacts_query_table() {
  using Q = ArtifactsQuery;
  static const Table<Q> table{
      "ArtifactsQuery", Table<Q>::Use::request, "", {limit_field<Q>(), after_field<Q>()}};
  return table;
}

const Table<LogQuery>& log_query_table() {
  using Q = LogQuery;
  static const Table<Q> table{
      "LogQuery",
      Table<Q>::Use::request,
      "",
      {field<Q>("attempt", &Q::attempt, AttemptWanted{},
                "A number, or `all`: every attempt behind a heading; absent: the latest."),
       field<Q>("offset", &Q::offset, Whole{0}, "Bytes to leave out."),
       field<Q>("follow", &Q::follow, Flag{},
                "The log as it grows, in chunks, until the attempt has ended; of one attempt.")},
      [](const Place& at, const Json&, const Q& query) {
        if (query.follow && query.attempt.all) at.member("follow").fail("is for one attempt, not for all");
      }};
  return table;
}

const Table<AppendQuery>& append_query_table() {
  using Q = AppendQuery;
  static const Table<Q> table{
      "AppendQuery",
      Table<Q>::Use::request,
      "",
      {field<Q>("offset", &Q::offset, Whole{0}, "Bytes of this log that were sent before.")
           .need("is required: the bytes of this log sent before")}};
  return table;
}

}  // namespace drover::api
