#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/json.hpp"
#include "drover/base/result.hpp"
#include "drover/cli/command_line.hpp"
#include "drover/ports/http_client.hpp"

namespace drover::cli {

// The daemon's API for programs of ours that are its clients. Blocking; as thread-safe as `http`.
class ApiClient {
 public:
  // `base` without a trailing slash. Both must outlive the client.
  ApiClient(ports::HttpClient& http, std::string base) : http_(http), base_(std::move(base)) {}

  // An answer of 200..299. Any other is an Error with the problem's own detail; no answer is the HttpClient's
  // Error.
  Result<std::string> text(std::string_view path);
  Result<Json> get(std::string_view path);
  Result<Json> send(std::string_view method, std::string_view path, const Json& body);
  [[nodiscard]] const std::string& base() const { return base_; }

 private:
  Result<ports::HttpReply> call(std::string_view method, std::string_view path, std::string body);
  ports::HttpClient& http_;
  std::string base_;
};

// A member as text for people: strings as they are, null and absent as "-", anything else as JSON.
std::string text_of(const Json& json, std::string_view key);

// Columns as wide as their widest cell, two spaces between; the first row is the heading. Widths count code
// points.
std::string render_table(const std::vector<std::vector<std::string>>& rows);

// The body that submits this job; invalid when the command says nothing, or twice, what to run.
Result<Json> submit_body(const SubmitCommand& command);

// Does what the verb says and prints the answer to `out`, complaints to `complaints`. Returns the exit
// status: 0, or 1 when the daemon refused or did not answer.
int run_client(const ClientCommand& command, ports::HttpClient& http, std::ostream& out,
               std::ostream& complaints);

}  // namespace drover::cli
