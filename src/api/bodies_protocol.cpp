#include <algorithm>
#include <array>

#include "drover/base/limits.hpp"
#include "drover/base/text.hpp"

#include "bodies.hpp"
#include "worker_shell.hpp"

namespace drover::api {
namespace {

using schema::field;
using schema::Flag;
using schema::List;
using schema::Nullable;
using schema::Place;
using schema::Record;
using schema::Said;
using schema::shown;
using schema::Table;
using schema::Text;
using schema::Whole;

constexpr std::size_t kReasonBytes = 4096;
constexpr std::size_t kAttemptsPerHeartbeat = 4096;

struct Nonce {
  static void read(const Place& at, const Json& value, std::string& out) {
    const std::string* text = value.if_string();
    if (text == nullptr) return at.wrong_type("string", value);
    const auto good = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    };
    if (text->empty() || text->size() > 64 || !std::all_of(text->begin(), text->end(), good)) {
      return at.fail("must be 1 to 64 letters, digits or hyphens");
    }
    out = *text;
  }
  static bool restore(const Json& value, std::string& out) { return Said{}.restore(value, out); }
  static Json write(const std::string& value) { return value; }
  static Json describe(schema::Components& components) {
    return std::move(Said{}.describe(components).set("pattern", "^[A-Za-z0-9-]{1,64}$"));
  }
};

// Text that a machine wrote for people to read. A longer one is cut, since a refusal would lose the report.
struct Lenient {
  static void read(const Place& at, const Json& value, std::string& out) {
    const std::string* text = value.if_string();
    if (text == nullptr) return at.wrong_type("string", value);
    out = text->substr(0, kReasonBytes);
    while (!out.empty() && !storable_text(out)) out.pop_back();  // a character that was cut in half
  }
  static bool restore(const Json& value, std::string& out) { return Said{}.restore(value, out); }
  static Json write(const std::string& value) { return value; }
  static Json describe(schema::Components& components) { return Said{}.describe(components); }
};

struct TokenText {
  static constexpr Text kText{0, 256};

  static void read(const Place& at, const Json& value, Token& out) {
    std::string text;
    kText.read(at, value, text);
    if (!at.failed()) out = Token(Secret(std::move(text)));  // hashes it
  }
  static bool restore(const Json& /*value*/, Token& /*out*/) { return false; }
  static Json write(const Token& value) { return value.reveal(); }
  static Json write(const Secret& value) { return value.reveal(); }
  static Json describe(schema::Components& components) { return kText.describe(components); }
};

// The outcomes that a worker may report. An interruption is not among them: the worker releases the attempt
// instead.
constexpr std::array<std::string_view, 4> kReportable{"succeeded", "failure", "stopped", "infra"};

const Table<engine::AttemptRef>& attempt_ref_table() {
  using Ref = engine::AttemptRef;
  static const Table<Ref> table{
      "AttemptRef",
      Table<Ref>::Use::tolerant,
      "An attempt, with the token that its claim gave.",
      {field<Ref>(
           "job", [](auto& ref) -> auto& { return ref.job.value; }, Whole{1}, "The job's number.")
           .need(),
       field<Ref>("attempt", &Ref::attempt, Whole{1, INT32_MAX}).need(),
       field<Ref>("token", &Ref::token, TokenText{}).need()}};
  return table;
}

const Table<engine::AttemptRef>& stop_table() {
  using Ref = engine::AttemptRef;
  static const Table<Ref> table{
      "AttemptToStop",
      Table<Ref>::Use::answer,
      "An attempt that its worker is to stop.",
      {shown<Ref>(
           "job", [](const Ref& ref) { return ref.job.value; }, Whole{1}, "The job's number."),
       shown<Ref>("attempt", &Ref::attempt, Whole{1})}};
  return table;
}

// A claimed job in the answer to its worker. The text of the task is parsed once for all fields.
struct ClaimedShown {
  const engine::ClaimedJob* claimed = nullptr;
  schema::Task task;

  [[nodiscard]] const ports::OpenAttempt& attempt() const { return claimed->attempt; }
};

// The environment as it was checked when the job was submitted.
struct EnvironmentShown {
  static Json write(const std::vector<std::pair<std::string, std::string>>& env) {
    return schema::Pairs{}.write(env);
  }
  static Json describe(schema::Components& components) {
    Json out = Json::object().set("type", "object");
    return std::move(out.set("additionalProperties", Said{}.describe(components)));
  }
};

const Table<ClaimedShown>& claimed_job_table() {
  using Job = ClaimedShown;
  static const Table<Job> table{
      "ClaimedJob",
      Table<Job>::Use::answer,
      "A job to run, with all that running it needs.",
      {shown<Job>(
           "number", [](const Job& job) { return job.attempt().job.value; }, Whole{1}),
       shown<Job>(
           "id", [](const Job& job) { return to_string(job.attempt().id); }, Said{"uuid"}),
       shown<Job>(
           "attempt", [](const Job& job) { return job.attempt().attempt; }, Whole{1}),
       shown<Job>(
           "token", [](const Job& job) -> const Secret& { return job.claimed->token; }, TokenText{},
           "Goes with every call about this attempt."),
       shown<Job>(
           "queue", [](const Job& job) -> const auto& { return job.attempt().queue; }, Said{}),
       shown<Job>(
           "name", [](const Job& job) -> const auto& { return job.attempt().name; }, Said{}),
       shown<Job>(
           "command", [](const Job& job) -> const auto& { return job.task.command; }, Said{},
           "Shell text; absent when `args` is there.")
           .only_when([](const Job& job) { return job.task.args.empty(); }),
       shown<Job>(
           "args", [](const Job& job) -> const auto& { return job.task.args; }, List{Said{}},
           "A program and its arguments.")
           .only_when([](const Job& job) { return !job.task.args.empty(); }),
       shown<Job>(
           "env", [](const Job& job) -> const auto& { return job.task.env; }, EnvironmentShown{}),
       shown<Job>(
           "timeout_s", [](const Job& job) { return job.attempt().timeout; }, Whole{0},
           "Seconds; 0: any time."),
       shown<Job>(
           "max_log_bytes", [](const Job& job) { return job.claimed->max_log_bytes; }, Whole{0},
           "Of each log of the attempt."),
       shown<Job>(
           "resume", [](const Job& job) { return job.attempt().has_checkpoint; }, Flag{},
           "An earlier attempt left a checkpoint."),
       shown<Job>(
           "checkpoint",
           [](const Job& job) { return checkpoint_path(std::to_string(job.attempt().job.value)); }, Said{},
           "When `resume`: its path below the daemon's URL.")
           .only_when([](const Job& job) { return job.attempt().has_checkpoint; })}};
  return table;
}

struct ClaimedJobs {
  static Json write(const std::vector<engine::ClaimedJob>& jobs) {
    Json out = Json::array();
    for (const engine::ClaimedJob& job : jobs)
      out.push(claimed_job_table().write({&job, claimed_task(job.attempt.task)}));
    return out;
  }
  static Json describe(schema::Components& components) {
    return schema::describe_list(claimed_job_table().describe(components), 0, SIZE_MAX);
  }
};

}  // namespace

const Table<engine::Registration>& registration_table() {
  using R = engine::Registration;
  static const Table<R> table{
      "Registration",
      Table<R>::Use::tolerant,
      "A machine that has started, as its worker program tells of it.",
      {field<R>("instance_id", &R::instance_id, Text{1, 128}, "As the machine's metadata service gives it.")
           .need(),
       field<R>("nonce", &R::nonce, Nonce{}, "Chosen by the worker; the same in a repeated call.").need(),
       field<R>("slots", &R::slots, Whole{1, limits::kSlotsPerWorker}, "Jobs that it can run at once."),
       field<R>(
           "cpus", [](auto& r) -> auto& { return r.capacity.cpus; }, schema::Number{0, 65'536}),
       field<R>(
           "mem_mib", [](auto& r) -> auto& { return r.capacity.mem_mib; }, Whole{0, limits::kMebibytes}),
       field<R>(
           "disk_mib", [](auto& r) -> auto& { return r.capacity.disk_mib; }, Whole{0, limits::kMebibytes}),
       field<R>(
           "gpus", [](auto& r) -> auto& { return r.capacity.gpus; }, Whole{0, 1024}),
       field<R>("hostname", &R::hostname, Text{0, limits::kNameCharacters}),
       field<R>("version", &R::version, Text{0, limits::kNameCharacters}, "Of the worker program.")}};
  return table;
}

const Table<Registered>& registered_table() {
  using R = Registered;
  static const Table<R> table{
      "Registered",
      Table<R>::Use::answer,
      "The worker that the machine is now.",
      {shown<R>(
           "worker_id", [](const R& r) { return r.worker.worker.value; }, Whole{1}),
       shown<R>("token", &R::token, Said{}, "Bearer token of all its further calls."),
       shown<R>(
           "pool", [](const R& r) { return r.worker.pool; }, Said{}),
       shown<R>(
           "slots", [](const R& r) { return r.worker.slots; }, Whole{1}),
       shown<R>(
           "heartbeat_interval_s", [](const R& r) { return r.worker.heartbeat_interval_s; }, Whole{1}),
       shown<R>(
           "notice_poll_s", [](const R& r) { return r.worker.notice_poll_s; }, Whole{1})}};
  return table;
}

const Table<Claim>& claim_request_table() {
  static const Table<Claim> table{
      "ClaimRequest",
      Table<Claim>::Use::tolerant,
      "A worker that asks for work.",
      {field<Claim>("nonce", &Claim::nonce, Nonce{}, "A repeated one gives the same open attempts again.")
           .need(),
       field<Claim>("slots", &Claim::slots, Whole{1, limits::kSlotsPerWorker}, "Jobs wanted now."),
       field<Claim>("wait_s", &Claim::wait, Whole{0, 3600}, "Seconds; more than 20 is 20.")}};
  return table;
}

const Table<engine::ClaimAnswer>& claim_table() {
  using C = engine::ClaimAnswer;
  static const Table<C> table{
      "Claim",
      Table<C>::Use::answer,
      "What a worker is to run.",
      {shown<C>("jobs", &C::jobs, ClaimedJobs{}, "Empty: nothing came within the wait."),
       shown<C>("drain", &C::drain, Flag{},
                "The worker is to claim no more, and may end when it has no job.")}};
  return table;
}

const Table<Heartbeat>& heartbeat_table() {
  static const Table<Heartbeat> table{
      "Heartbeat",
      Table<Heartbeat>::Use::tolerant,
      "What a worker runs.",
      {field<Heartbeat>("attempts", &Heartbeat::attempts,
                        List{Record{attempt_ref_table()}, kAttemptsPerHeartbeat}, "All of them.")
           .need(),
       field<Heartbeat>("notice", &Heartbeat::notice, Nullable{Lenient{}},
                        "The machine's interruption notice, as its metadata service gave it.")}};
  return table;
}

const Table<engine::HeartbeatAnswer>& heartbeat_answer_table() {
  using H = engine::HeartbeatAnswer;
  static const Table<H> table{
      "HeartbeatAnswer",
      Table<H>::Use::answer,
      "What the daemon wants of the worker.",
      {shown<H>("stop", &H::stop, List{Record{stop_table()}},
                "Cancelled, held, or not the worker's any more."),
       shown<H>("drain", &H::drain, Flag{}, "It is to claim no more."),
       shown<H>("interval_s", &H::interval_s, Whole{1}, "Seconds until the next heartbeat.")}};
  return table;
}

const Table<Finish>& finish_table() {
  static const Table<Finish> table{
      "Finish",
      Table<Finish>::Use::tolerant,
      "How an attempt ended.",
      {field<Finish>("outcome", &Finish::outcome,
                     schema::Enum<core::Outcome>{kReportable, core::parse_outcome})
           .need(),
       field<Finish>("exit_code", &Finish::exit_code, Nullable{Whole{0, 255}}),
       field<Finish>("signal", &Finish::signal, Nullable{Whole{1, 64}}, "That killed the job's own process."),
       field<Finish>("reason", &Finish::reason, Nullable{Lenient{}}, "For people.")}};
  return table;
}

const Table<Release>& release_table() {
  static const Table<Release> table{
      "Release",
      Table<Release>::Use::tolerant,
      "Why an attempt is given back.",
      {field<Release>("reason", &Release::reason, Nullable{Lenient{}}, "For people."),
       field<Release>(
           "notice", &Release::notice, Nullable{Lenient{}},
           "The interruption notice for which it is given back, as the metadata service gave it.")}};
  return table;
}

const Table<engine::ReportAnswer>& reported_table() {
  using R = engine::ReportAnswer;
  static const Table<R> table{
      "Reported",
      Table<R>::Use::answer,
      "What a report came to.",
      {shown<R>("state", &R::state, schema::job_state(), "Of the job now."),
       shown<R>("repeated", &R::repeated, Flag{}, "The same report was taken before.")}};
  return table;
}

const Table<LogAppended>& log_appended_table() {
  static const Table<LogAppended> table{"LogAppended",
                                        Table<LogAppended>::Use::answer,
                                        "",
                                        {shown<LogAppended>("next_offset", &LogAppended::next_offset,
                                                            Whole{0}, "Bytes of this log that are kept.")}};
  return table;
}

const Table<FileKept>& file_kept_table() {
  static const Table<FileKept> table{
      "FileKept",
      Table<FileKept>::Use::answer,
      "A file of an attempt that is kept now.",
      {shown<FileKept>("name", &FileKept::name, Said{}, "Of an artifact; the checkpoint has none.")
           .only_when([](const FileKept& file) { return !file.name.empty(); }),
       shown<FileKept>("size", &FileKept::size, Whole{0}, "Bytes."),
       shown<FileKept>(
           "sha256", [](const FileKept& file) { return to_hex(file.sha256); }, Said{}, "In hexadecimal.")}};
  return table;
}

}  // namespace drover::api
