#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/json.hpp"
#include "drover/base/result.hpp"
#include "drover/cli/command_line.hpp"
#include "drover/ports/http_client.hpp"

namespace drover::cli {

// The daemon's API, as the client verbs, `drover dev` and the demonstration call it. Blocking; as thread-safe
// as `http`.
class ApiClient {
 public:
  // `base` without a trailing slash. Both must outlive the client.
  ApiClient(ports::HttpClient& http, std::string base) : http_(http), base_(std::move(base)) {}

  // The body of an answer of 200..299. Any other answer is an Error with the daemon's reason, fit for a
  // terminal; without an answer it is the HttpClient's Error.
  Result<std::string> text(std::string_view path);
  Result<Json> get(std::string_view path);
  Result<Json> send(std::string_view method, std::string_view path, const Json& body);
  // The items of a list, page by page from `path` on, until `take` returns false.
  Status pages(std::string path, const std::function<bool(const Json& item)>& take);
  // A log of any size as it arrives, until `take` returns false. `path` has no query.
  Status log(const std::string& path, std::optional<int> attempt,
             const std::function<bool(std::string_view piece)>& take);
  [[nodiscard]] const std::string& base() const { return base_; }

 private:
  [[nodiscard]] ports::HttpRequest request(std::string_view method, std::string_view path) const;
  Result<ports::HttpReply> call(const ports::HttpRequest& request);
  ports::HttpClient& http_;
  std::string base_;
};

// The text without the control characters that a terminal would act upon: a job's name may hold some.
std::string for_terminal(std::string_view text);

// A member as text for people: strings as they are, null and absent as "-", anything else as JSON.
std::string text_of(const Json& json, std::string_view key);

// Columns as wide as their widest cell, two spaces between; the first row is the heading. Widths count code
// points.
std::string render_table(const std::vector<std::vector<std::string>>& rows);

// The body that submits this job; invalid when the command says nothing, or twice, what to run.
Result<Json> submit_body(const SubmitCommand& command);

// The complaint about output that could not be written, because a disk is full or the reader has gone. `code`
// is the errno, 0 when it is not known.
std::string write_error(int code);

// Does what the verb says and prints the answer to `out`, complaints to `complaints`. Returns the exit
// status: 0, or 1 when the daemon refused something or did not answer, or when `out` could not be written to
// the end.
int run_client(const ClientCommand& command, ports::HttpClient& http, std::ostream& out,
               std::ostream& complaints);

}  // namespace drover::cli
