#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/limits.hpp"
#include "drover/base/result.hpp"
#include "drover/http/message.hpp"

namespace drover::http {

// Values of a pattern's {names}, decoded.
using PathValues = std::map<std::string, std::string, std::less<>>;

struct Context {
  Request request;
  PathValues path;
  std::string route;  // the pattern, for metrics and logs
  std::string request_id;
  Reply reply;
};

using RouteHandler = std::function<void(Context)>;
// Asked after the header, on the transport's thread: an Error refuses the request without reading its body.
// It must not block.
using RouteGuard = std::function<Status(const Request& head, const PathValues& path)>;
// Asked of every request after its header, before its route is looked for; a Response refuses it.
using Gate = std::function<std::optional<Response>(const Request& head)>;

// What a route takes of a request beside its path. The router refuses anything else before a handler acts,
// since a caller would believe that an ignored parameter had an effect ("cancel?dry_run=true").
enum class Takes {
  parameters,  // those of `query`; no body but an empty one or `{}`
  body,        // those of `query`, and a body, which the handler judges
  anything,    // whatever comes; what the route does not know is ignored
};

// Whether a route takes a path with a slash at its end. Some APIs give /x and /x/ different meanings.
enum class Slash { either, without, with };

// Which requests a route is for, when several routes share a method and a path. The most particular one that
// fits a request is taken; a request that fits none is answered 415 (for its Content-Type) or 406.
struct When {
  std::string content_type = {};  // the body's media type, "application/json"; empty: any, or none
  std::string accept = {};        // a media type that the Accept field names itself, not by "*"; empty: any
  Slash slash = Slash::either;
};

struct Route {
  std::string method;   // HEAD is answered wherever GET is, without its body
  std::string pattern;  // "/jobs/{job}/logs/{stream}"; a trailing slash in the request matches too
  RouteHandler handler;
  std::int64_t max_body = static_cast<std::int64_t>(limits::kBodyBytes);
  bool spool = false;
  RouteGuard guard = {};
  bool tail = false;  // the last {name} takes all that is left of the path, however many segments
  Takes takes = Takes::parameters;
  std::vector<std::string> query = {};  // parameters; each at most once
  When when = {};
  bool acts = false;  // a GET that changes something, as some older clients have it: HEAD does not run it
};

// Called once a request is answered (a stream: when it begins), for the access log and metrics, on the
// answering thread; it must not block. `route` is the pattern, "unmatched" (404) or "refused" (405, OPTIONS).
// `status` 499: nobody answered, and the client had gone.
struct Access {
  std::string_view method;
  std::string_view route;
  std::string_view path;  // decoded, without the query
  std::string_view request_id;
  int status = 0;
  double seconds = 0;
};

// Finds the route (a literal segment before a {name}, the leftmost difference deciding; then Route::when),
// answers 404, 405 (with Allow), 406, 415 and OPTIONS, gives each request an id (X-Request-Id, the client's
// if it is 1 to 64 of [A-Za-z0-9._-]), turns an exception of a handler or a forgotten reply into a 500
// problem that says nothing of the cause. A {name} matches one segment that is not empty, or a tail. HEAD
// runs GET's handler; the transport leaves the body out. Immutable once serving; thread-safe.
class Router final : public Handler {
 public:
  explicit Router(std::function<void(const Access&)> on_access = {}, Gate gate = {});
  ~Router() override;
  void add(Route route);  // aborts on a pattern that is there already for the same requests
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const;  // method, pattern
  std::variant<BodyPolicy, Response> on_head(const Request& head) override;
  void on_request(Request request, Reply reply) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace drover::http
