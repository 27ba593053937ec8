#include "drover/cli/client.hpp"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "drover/base/text.hpp"

namespace drover::cli {
namespace {

constexpr std::size_t kReplyBytes = 64UL * 1024 * 1024;

Errc code_of(int status) {
  switch (status) {
    case 400:
    case 422:
      return Errc::invalid;
    case 401:
      return Errc::unauthenticated;
    case 403:
      return Errc::forbidden;
    case 404:
      return Errc::not_found;
    case 409:
    case 412:
      return Errc::conflict;
    case 413:
      return Errc::too_large;
    case 429:
      return Errc::overloaded;
    case 503:
      return Errc::unavailable;
    default:
      return Errc::internal;
  }
}

Error refused(const ports::HttpReply& reply) {
  Error error{code_of(reply.status), fmt::format("HTTP {}", reply.status)};
  const auto problem = parse_json(reply.body);
  const Json* detail = problem.ok() ? problem->find("detail") : nullptr;
  if (detail != nullptr && detail->if_string() != nullptr) error.message = *detail->if_string();
  return error;
}

Result<Json> parsed(const Result<ports::HttpReply>& reply) {
  if (!reply.ok()) return reply.error();
  if (reply->body.empty()) return Json();
  auto json = parse_json(reply->body);
  if (!json.ok()) return Error{Errc::internal, "the answer is not JSON: " + json.error().message};
  return json;
}

// Code points: good enough for names, and the API's text is valid UTF-8.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// What a terminal would act upon must not come from a job's name.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

using Rows = std::vector<std::vector<std::string>>;

Rows table_of(const Json& list, const std::vector<std::pair<const char*, const char*>>& columns) {
  Rows rows(1);
  for (const auto& [heading, key] : columns) rows[0].emplace_back(heading);
  if (list.if_array() == nullptr) return rows;
  for (const Json& item : *list.if_array()) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const auto& [heading, key] : columns) row.push_back(text_of(item, key));
  }
  return rows;
}

// One verb's run: where it asks and where it prints.
class Runner {
 public:
  Runner(ApiClient& api, std::ostream& out) : api_(api), out_(out) {}

  Status operator()(const SubmitCommand& command) {
    const auto body = submit_body(command);
    if (!body.ok()) return body.error();
    return print(api_.send("POST", "/jobs", *body), [this](const Json& job) {
      out_ << fmt::format("{} {} {}\n", text_of(job, "number"), text_of(job, "id"), text_of(job, "state"));
    });
  }

  Status operator()(const ListCommand& command) {
    std::string path = fmt::format("/jobs?limit={}", command.limit);
    for (const auto& [key, value] : {std::pair{"state", &command.state}, std::pair{"queue", &command.queue},
                                     std::pair{"name", &command.name}}) {
      if (!value->empty()) path += fmt::format("&{}={}", key, percent_encode(*value));
    }
    return table(path, {{"NUMBER", "number"},
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
      out_ << "\n"
           << render_table(table_of(attempts, {{"ATTEMPT", "attempt"},
                                               {"WORKER", "worker"},
                                               {"OUTCOME", "outcome"},
                                               {"EXIT", "exit_code"},
                                               {"STARTED", "started_at"},
                                               {"ENDED", "ended_at"},
                                               {"REASON", "reason"}}));
    });
  }

  Status operator()(const LogsCommand& command) {
    std::string path = fmt::format("/jobs/{}/logs/{}", percent_encode(command.job), command.stream);
    if (command.attempt) path += fmt::format("?attempt={}", *command.attempt);
    const auto text = api_.text(path);
    if (!text.ok()) return text.error();
    out_ << *text;
    return Ok{};
  }

  Status operator()(const ChangeCommand& command) {
    for (const std::string& job : command.jobs) {
      const auto answer =
          api_.send("POST", fmt::format("/jobs/{}/{}", percent_encode(job), command.action), Json());
      if (!answer.ok()) return Error{answer.error().code, fmt::format("{}: {}", job, answer.error().message)};
      out_ << fmt::format("{} {}\n", job, text_of(*answer, "state"));
    }
    return Ok{};
  }

  Status operator()(const PauseCommand& command) {
    Json body = Json::object();
    body.set("is_paused", command.paused);
    const auto answer = api_.send("PATCH", "/scheduler", body);
    if (!answer.ok()) return answer.error();
    out_ << (command.paused ? "paused\n" : "running\n");
    return Ok{};
  }

  Status operator()(const StatusCommand&) {
    return print(api_.get("/status"), [this](const Json& status) { print_members(status); });
  }

  Status operator()(const WorkersCommand&) {
    return table("/workers", {{"NUMBER", "number"},
                              {"INSTANCE", "instance_id"},
                              {"POOL", "pool"},
                              {"STATE", "state"},
                              {"SLOTS", "slots"},
                              {"RUNNING", "running"},
                              {"TYPE", "instance_type"},
                              {"LAST SEEN", "last_seen_at"}});
  }

  Status operator()(const PoolsCommand&) {
    return table("/pools", {{"NAME", "name"},
                            {"PROVIDER", "provider"},
                            {"MIN", "min"},
                            {"MAX", "max"},
                            {"SLOTS", "slots"},
                            {"MARKET", "market"},
                            {"QUEUES", "queues"},
                            {"BLOCKED", "blocked_reason"}});
  }

 private:
  template <class Print>
  Status print(const Result<Json>& answer, Print print) {
    if (!answer.ok()) return answer.error();
    print(*answer);
    return Ok{};
  }

  Status table(const std::string& path, const std::vector<std::pair<const char*, const char*>>& columns) {
    return print(api_.get(path), [&](const Json& list) { out_ << render_table(table_of(list, columns)); });
  }

  void print_members(const Json& object) {
    if (object.if_object() == nullptr) return;
    Rows rows;
    for (const Json::Member& member : *object.if_object()) {
      if (!member.value.is_null()) rows.push_back({member.key, text_of(object, member.key)});
    }
    out_ << render_table(rows);
  }

  ApiClient& api_;
  std::ostream& out_;
};

}  // namespace

Result<ports::HttpReply> ApiClient::call(std::string_view method, std::string_view path, std::string body) {
  ports::HttpRequest request;
  request.method = method;
  request.url = base_ + std::string(path);
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(body);
  request.total_timeout = Millis{30'000};
  request.max_reply_bytes = kReplyBytes;
  auto reply = http_.send(request);
  if (!reply.ok()) return reply;
  if (reply->status < 200 || reply->status > 299) return refused(*reply);
  return reply;
}

Result<std::string> ApiClient::text(std::string_view path) {
  auto reply = call("GET", path, {});
  if (!reply.ok()) return reply.error();
  return std::move(reply->body);
}

Result<Json> ApiClient::get(std::string_view path) {
  return parsed(call("GET", path, {}));
}

Result<Json> ApiClient::send(std::string_view method, std::string_view path, const Json& body) {
  return parsed(call(method, path, body.is_null() ? std::string() : body.dump()));
}

std::string text_of(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  if (value == nullptr || value->is_null()) return "-";
  if (const std::string* text = value->if_string()) return text->empty() ? "-" : printable(*text);
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

int run_client(const ClientCommand& command, ports::HttpClient& http, std::ostream& out,
               std::ostream& complaints) {
  std::string base = command.url;
  while (base.ends_with('/')) base.pop_back();
  ApiClient api(http, base);
  const Status done = std::visit(Runner(api, out), command.verb);
  if (done.ok()) return 0;
  complaints << "drover: " << done.error().message;
  if (done.error().code == Errc::unavailable || done.error().code == Errc::timeout)
    complaints << " (" << base << ")";
  complaints << "\n";
  return 1;
}

}  // namespace drover::cli
