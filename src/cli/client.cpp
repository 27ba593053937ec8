#include "drover/cli/client.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ostream>

#include <fmt/format.h>

#include "drover/base/masked.hpp"
#include "drover/base/text.hpp"

namespace drover::cli {
namespace {

// Counts code points, which is good enough for names. The API's text is valid UTF-8.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

using Rows = std::vector<std::vector<std::string>>;

using Columns = std::vector<std::pair<const char*, const char*>>;  // heading, member

Rows heading_of(const Columns& columns) {
  Rows rows(1);
  for (const auto& [heading, key] : columns) rows[0].emplace_back(heading);
  return rows;
}

std::vector<std::string> row_of(const Json& item, const Columns& columns) {
  std::vector<std::string> row;
  for (const auto& [heading, key] : columns) row.push_back(text_of(item, key));
  return row;
}

// One verb's run: where it asks and where it prints.
class Runner {
 public:
  Runner(ApiClient& api, std::ostream& out, std::ostream& complaints)
      : api_(api), out_(out), complaints_(complaints) {}

  Status operator()(const SubmitCommand& command) {
    const auto body = submit_body(command);
    if (!body.ok()) return body.error();
    return print(api_.send("POST", "/jobs", *body), [this](const Json& job) {
      put(fmt::format("{} {} {}\n", text_of(job, "number"), text_of(job, "id"), text_of(job, "state")));
    });
  }

  Status operator()(const ListCommand& command) {
    std::string path = fmt::format("/jobs?limit={}", command.limit);
    for (const auto& [key, value] : {std::pair{"state", &command.state}, std::pair{"queue", &command.queue},
                                     std::pair{"name", &command.name}}) {
      if (!value->empty()) path += fmt::format("&{}={}", key, percent_encode(*value));
    }
    return table(std::move(path), static_cast<std::size_t>(command.limit),
                 {{"NUMBER", "number"},
                  {"STATE", "state"},
                  {"QUEUE", "queue"},
                  {"NAME", "name"},
                  {"ATTEMPTS", "attempts"},
                  {"CREATED", "created_at"},
                  {"REASON", "reason"}});
  }

  Status operator()(const ShowCommand& command) {
    const std::string path = "/jobs/" + percent_encode(command.job);
    Status shown = print(api_.get(path), [this](const Json& job) { print_members(job); });
    if (!shown.ok()) return shown;
    return print(api_.get(path + "/attempts"), [this](const Json& attempts) {
      if (attempts.if_array() == nullptr || attempts.if_array()->empty()) return;
      const Columns columns = {{"ATTEMPT", "attempt"}, {"WORKER", "worker"},      {"OUTCOME", "outcome"},
                               {"EXIT", "exit_code"},  {"STARTED", "started_at"}, {"ENDED", "ended_at"},
                               {"REASON", "reason"}};
      Rows rows = heading_of(columns);
      for (const Json& attempt : *attempts.if_array()) rows.push_back(row_of(attempt, columns));
      put("\n" + render_table(rows));
    });
  }

  Status operator()(const LogsCommand& command) {
    return api_.log(fmt::format("/jobs/{}/logs/{}", percent_encode(command.job), command.stream),
                    command.attempt, [this](std::string_view piece) { return put(piece); });
  }

  // After a refusal of one job the others are still asked for.
  Status operator()(const ChangeCommand& command) {
    for (const std::string& job : command.jobs) {
      const auto answer =
          api_.send("POST", fmt::format("/jobs/{}/{}", percent_encode(job), command.action), Json());
      if (answer.ok()) {
        put(fmt::format("{} {}\n", job, text_of(*answer, "state")));
      } else {
        complain({answer.error().code, fmt::format("{}: {}", job, answer.error().message)});
      }
    }
    return Ok{};
  }

  Status operator()(const PauseCommand& command) {
    Json body = Json::object();
    body.set("is_paused", command.paused);
    const auto answer = api_.send("PATCH", "/scheduler", body);
    if (!answer.ok()) return answer.error();
    put((command.paused ? "paused\n" : "running\n"));
    return Ok{};
  }

  Status operator()(const StatusCommand&) {
    return print(api_.get("/status"), [this](const Json& status) { print_members(status); });
  }

  Status operator()(const WorkersCommand&) {
    return table("/workers", SIZE_MAX,
                 {{"NUMBER", "number"},
                  {"INSTANCE", "instance_id"},
                  {"POOL", "pool"},
                  {"STATE", "state"},
                  {"SLOTS", "slots"},
                  {"RUNNING", "running"},
                  {"TYPE", "instance_type"},
                  {"LAST SEEN", "last_seen_at"}});
  }

  Status operator()(const PoolsCommand&) {
    return table("/pools", SIZE_MAX,
                 {{"NAME", "name"},
                  {"PROVIDER", "provider"},
                  {"MIN", "min"},
                  {"MAX", "max"},
                  {"SLOTS", "slots"},
                  {"MARKET", "market"},
                  {"QUEUES", "queues"},
                  {"BLOCKED", "blocked_reason"}});
  }

  void complain(const Error& error) {
    failed_ = true;
    std::string text = "drover: " + error.message;
    const bool whose = error.code == Errc::unavailable || error.code == Errc::timeout;
    if (whose && error.message.find(api_.base()) == std::string::npos) text += " (" + api_.base() + ")";
    complaints_ << without_passwords(text) << "\n";
  }
  // The exit status, once all is written out.
  int finish() {
    errno = 0;
    if (out_ && !out_.flush()) write_errno_ = errno;
    if (!out_) complain(internal(write_error(write_errno_)));
    return failed_ ? 1 : 0;
  }

 private:
  bool put(std::string_view text) {
    if (!out_) return false;
    errno = 0;
    if (!(out_ << text)) write_errno_ = errno;
    return bool(out_);
  }

  template <class Print>
  Status print(const Result<Json>& answer, Print print) {
    if (!answer.ok()) return answer.error();
    print(*answer);
    return Ok{};
  }

  Status table(std::string path, std::size_t limit, const Columns& columns) {
    Rows rows = heading_of(columns);
    Status read = api_.pages(std::move(path), [&](const Json& item) {
      rows.push_back(row_of(item, columns));
      return rows.size() <= limit;
    });
    if (!read.ok()) return read;
    put(render_table(rows));
    return Ok{};
  }

  void print_members(const Json& object) {
    if (object.if_object() == nullptr) return;
    Rows rows;
    for (const Json::Member& member : *object.if_object()) {
      if (!member.value.is_null()) rows.push_back({member.key, text_of(object, member.key)});
    }
    put(render_table(rows));
  }

  ApiClient& api_;
  std::ostream& out_;
  std::ostream& complaints_;
  bool failed_ = false;
  int write_errno_ = 0;  // of the first failure of `out_`
};

}  // namespace

std::string for_terminal(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

std::string text_of(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  if (value == nullptr || value->is_null()) return "-";
  if (const std::string* text = value->if_string()) return text->empty() ? "-" : for_terminal(*text);
  return value->dump();
}

std::string render_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    out += line + "\n";
  }
  return out;
}

Result<Json> submit_body(const SubmitCommand& command) {
  if (command.shell.empty() == command.args.empty()) {
    return invalid("task", "say what to run: --shell TEXT, or -- PROGRAM ARGUMENT...");
  }
  Json task = Json::object();
  if (!command.shell.empty()) {
    task.set("command", command.shell);
  } else {
    Json args = Json::array();
    for (const std::string& word : command.args) args.push(word);
    task.set("args", std::move(args));
  }
  Json env = Json::object();
  for (const std::string& entry : command.env) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0)
      return invalid("env", fmt::format("{} is not NAME=value", entry));
    env.set(entry.substr(0, equals), entry.substr(equals + 1));
  }
  if (!env.if_object()->empty()) task.set("env", std::move(env));
  Json body = Json::object();
  if (!command.queue.empty()) body.set("queue", command.queue);
  if (!command.name.empty()) body.set("name", command.name);
  if (command.priority) body.set("priority", *command.priority);
  if (command.timeout_s) body.set("timeout_s", *command.timeout_s);
  if (command.max_attempts) {
    Json retry = Json::object();
    retry.set("max_attempts", *command.max_attempts);
    body.set("retry", std::move(retry));
  }
  if (command.hold) body.set("hold", true);
  body.set("task", std::move(task));
  return body;
}

std::string write_error(int code) {
  return "cannot write all of it to standard output" +
         (code != 0 ? std::string(": ") + std::strerror(code) : std::string());
}

int run_client(const ClientCommand& command, ports::HttpClient& http, std::ostream& out,
               std::ostream& complaints) {
  std::string base = command.url;
  while (base.ends_with('/')) base.pop_back();
  ApiClient api(http, base);
  Runner runner(api, out, complaints);
  const Status done = std::visit(runner, command.verb);
  if (!done.ok()) runner.complain(done.error());
  return runner.finish();
}

}  // namespace drover::cli
