#include "drover/http/router.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <random>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "drover/base/clock.hpp"
#include "drover/base/json.hpp"
#include "drover/base/log.hpp"
#include "drover/base/secret.hpp"
#include "drover/base/text.hpp"
#include "drover/http/problem.hpp"

#include "pattern.hpp"

namespace drover::http {

namespace {

// Shared with the replies, since one may be given after the router was destroyed.
using OnAccess = std::shared_ptr<const std::function<void(const Access&)>>;

SteadyTime steady_now() {
  return SystemClock{}.steady();
}

// The status that is counted for a request whose client did not wait for the answer. nginx logs the same
// number.
constexpr int kClientGone = 499;

// A client's request id is echoed and logged, so only characters that are harmless there are accepted.
bool sane_id(std::string_view id) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), plain);
}

// A request id need only be unique, not secret. So each thread seeds a generator of its own once; OpenSSL's
// would cost a system call for each request.
std::string request_id_of(const Request& request) {
  const std::string_view given = request.header("x-request-id");
  if (sane_id(given)) return std::string(given);
  thread_local std::mt19937_64 numbers(random_u64());
  return fmt::format("{:016x}", numbers());
}

Response internal_problem(std::string_view request_id) {
  return problem(
      500, "internal",
      fmt::format("Something went wrong inside the server; its log says what under {}.", request_id));
}

// Parameters that the route does not know, or one given twice.
Status check_query(const Route& route, const Request& request) {
  if (route.takes == Takes::anything) return Ok{};
  std::vector<std::string_view> seen;
  for (const auto& [name, value] : request.query) {
    if (std::find(route.query.begin(), route.query.end(), name) == route.query.end()) {
      const std::vector<std::string_view> known(route.query.begin(), route.query.end());
      return invalid(name, fmt::format("\"{}\" is not a parameter of {} {}{}", name, route.method,
                                       route.pattern, what_there_is(name, known)));
    }
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      return invalid(name, fmt::format("{} is given twice", name));
    }
    seen.push_back(name);
  }
  return Ok{};
}

// Many clients send `{}` with every POST, so an empty object is no body.
Status check_body(const Route& route, const Request& request) {
  if (route.takes != Takes::parameters || trim(request.body).empty()) return Ok{};
  const Result<Json> json = parse_json(request.body);
  const Json::Object* object = json.ok() ? json->if_object() : nullptr;
  if (object != nullptr && object->empty()) return Ok{};
  return invalid({}, fmt::format("{} {} takes no body; nothing was done", route.method, route.pattern));
}

bool is_media_type(std::string_view item, std::string_view type) {
  return iequals(trim(split(item, ';').front()), type);
}

bool has_type(const Request& request, std::string_view type) {
  return type.empty() || is_media_type(request.header("content-type"), type);
}

bool accepts(const Request& request, std::string_view type) {
  if (type.empty()) return true;
  for (const std::string_view item : split(request.header("accept"), ',')) {
    if (is_media_type(item, type)) return true;
  }
  return false;
}

// Stands between the handler and the transport: adds the id, times the request, and answers 500 if nobody
// else does.
class TimedSink final : public Reply::Sink {
 public:
  TimedSink(Reply inner, OnAccess on_access, const Request& request, std::string_view route,
            std::string request_id)
      : inner_(std::move(inner)),
        on_access_(std::move(on_access)),
        method_(request.method),
        path_(request.path),
        route_(route),
        request_id_(std::move(request_id)),
        start_(steady_now()) {}
  TimedSink(const TimedSink&) = delete;
  TimedSink& operator=(const TimedSink&) = delete;
  ~TimedSink() override {
    if (sent_.load()) return;
    // A handler may drop the request of a client that has gone. That is no fault of the server.
    const bool gone = !inner_.open();
    if (!gone) log_error("{} {} ({}): no handler answered", method_, route_, request_id_);
    Response answer = internal_problem(request_id_);
    answer.abandon = gone;  // a client that closed its sending half alone still reads
    forward(std::move(answer), {}, gone ? kClientGone : 500);
  }

  void send(Response response, std::function<void(bool)> done) override {
    if (sent_.exchange(true)) {
      log_error("{} {} ({}): answered twice, the second time with {}", method_, route_, request_id_,
                response.status);
      if (done) done(false);
      return;
    }
    const int status = response.status;
    forward(std::move(response), std::move(done), status);
  }
  [[nodiscard]] bool open() const override { return !sent_.load() && inner_.open(); }
  // Answers for a handler that threw. Does nothing, and logs nothing, if it had answered before.
  void fail() {
    if (!sent_.exchange(true)) forward(internal_problem(request_id_), {}, 500);
  }

 private:
  void forward(Response response, std::function<void(bool)> done, int counted) {
    if (*on_access_) {
      (*on_access_)({method_, route_, path_, request_id_, counted,
                     std::chrono::duration<double>(steady_now() - start_).count()});
    }
    inner_.send(std::move(response.with("X-Request-Id", request_id_)), std::move(done));
  }

  Reply inner_;
  OnAccess on_access_;
  std::string method_;
  std::string path_;
  std::string route_;
  std::string request_id_;
  SteadyTime start_;
  std::atomic<bool> sent_{false};
};

}  // namespace

struct Router::Impl {
  struct Entry {
    Route route;
    Pattern pattern;
    std::string shape;
  };
  // The order of the entries: the more literal and the more particular first.
  static auto place_of(const Entry& entry) {
    const When& when = entry.route.when;
    return std::make_tuple(std::string_view(entry.shape), std::string_view(entry.route.method),
                           when.content_type.empty(), when.accept.empty(),
                           std::string_view(when.content_type), std::string_view(when.accept), when.slash);
  }
  // Exactly one of the two: a route with the path's segments, or the answer for having none.
  struct Found {
    const Entry* entry = nullptr;
    std::vector<std::string> segments;
    Response refusal;
    std::string_view label;
  };

  std::vector<Entry> entries;  // by shape, so that the first match is the most literal one
  OnAccess on_access;
  Gate gate;

  [[nodiscard]] std::set<std::string> methods_at(const Request& request,
                                                 const std::vector<std::string>& segments) const {
    std::set<std::string> methods;
    for (const Entry& entry : entries) {
      if (!is_at(entry, request, segments)) continue;
      methods.insert(entry.route.method);
      if (entry.route.method == "GET" && !entry.route.acts) methods.insert("HEAD");
    }
    return methods;
  }

  static bool is_at(const Entry& entry, const Request& request, const std::vector<std::string>& segments) {
    const Slash slash = entry.route.when.slash;
    if (slash != Slash::either && request.path.ends_with('/') != (slash == Slash::with)) return false;
    return entry.pattern.matches(segments);
  }

  // The route of this method for the request; without one, `why` becomes 415 or 406 if the path has routes of
  // this method for other requests, and stays 0 if not.
  [[nodiscard]] const Entry* find(const Request& request, const std::vector<std::string>& segments,
                                  int& why) const {
    const Entry* own = find(request, segments, request.method, why);
    return own == nullptr && why == 0 && request.method == "HEAD" ? find(request, segments, "GET", why) : own;
  }

  [[nodiscard]] const Entry* find(const Request& request, const std::vector<std::string>& segments,
                                  std::string_view method, int& why) const {
    const std::string* shape = nullptr;  // the most literal pattern that the path has
    for (const Entry& entry : entries) {
      const Route& route = entry.route;
      if (route.method != method || (route.acts && request.method == "HEAD")) continue;
      if (!is_at(entry, request, segments) || (shape != nullptr && *shape != entry.shape)) continue;
      shape = &entry.shape;
      if (!has_type(request, route.when.content_type)) {
        why = 415;
      } else if (!accepts(request, route.when.accept)) {
        why = why == 0 ? 406 : why;
      } else {
        return &entry;
      }
    }
    return nullptr;
  }

  static Response wrong_type(int why, const Request& request) {
    if (why == 406) {
      return problem(406, "not_acceptable",
                     "This path answers nothing of the types that the header Accept asks for.");
    }
    const std::string_view type = request.header("content-type");
    return problem(415, "unsupported_media_type",
                   fmt::format("This path does not take a body of type \"{}\".", type));
  }

  static Response with_allow(Response response, std::set<std::string> methods) {
    methods.insert("OPTIONS");
    return std::move(response.with("Allow", fmt::format("{}", fmt::join(methods, ", "))));
  }

  static Response wrong_method(const Request& request, const std::set<std::string>& methods) {
    const std::string text =
        fmt::format("This path does not take {}; it takes {}.", request.method, fmt::join(methods, ", "));
    return with_allow(problem(405, "method_not_allowed", text), methods);
  }

  [[nodiscard]] Found resolve(const Request& request) const {
    Found found;
    found.label = "refused";
    if (request.path == "*" && request.method == "OPTIONS") {
      found.refusal = with_allow(Response{204, {}, {}}, {"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"});
      return found;
    }
    std::optional<std::vector<std::string>> segments = segments_of(request);
    if (!segments) {
      found.refusal = problem(400, "invalid", "The path must begin with '/' and hold no broken escape.");
      return found;
    }
    found.segments = std::move(*segments);
    int why = 0;
    found.entry = find(request, found.segments, why);
    if (found.entry != nullptr) {
      found.label = found.entry->route.pattern;
      return found;
    }
    std::set<std::string> methods = methods_at(request, found.segments);
    if (why != 0) {
      found.refusal = wrong_type(why, request);
    } else if (methods.empty()) {
      found.label = "unmatched";
      found.refusal = problem(404, "not_found", "There is nothing at this path.");
    } else if (request.method == "OPTIONS") {
      found.refusal = with_allow(Response{204, {}, {}}, std::move(methods));
    } else {
      found.refusal = wrong_method(request, methods);
    }
    return found;
  }
};

Router::Router(std::function<void(const Access&)> on_access, Gate gate) : impl_(std::make_unique<Impl>()) {
  impl_->on_access = std::make_shared<const std::function<void(const Access&)>>(std::move(on_access));
  impl_->gate = std::move(gate);
}
Router::~Router() = default;

void Router::add(Route route) {
  std::optional<Pattern> pattern = Pattern::parse(route.pattern, route.tail);
  if (!pattern || route.method.empty() || !route.handler) {
    log_error("route '{} {}' is malformed", route.method, route.pattern);
    std::abort();
  }
  Impl::Entry entry{std::move(route), std::move(*pattern), {}};
  entry.shape = entry.pattern.shape();
  const auto at = std::lower_bound(
      impl_->entries.begin(), impl_->entries.end(), entry,
      [](const Impl::Entry& a, const Impl::Entry& b) { return Impl::place_of(a) < Impl::place_of(b); });
  if (at != impl_->entries.end() && Impl::place_of(*at) == Impl::place_of(entry)) {
    log_error("route '{} {}' is there already", entry.route.method, entry.route.pattern);
    std::abort();
  }
  impl_->entries.insert(at, std::move(entry));
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
  std::vector<std::pair<std::string, std::string>> routes;
  for (const Impl::Entry& entry : impl_->entries)
    routes.emplace_back(entry.route.method, entry.route.pattern);
  return routes;
}

std::variant<BodyPolicy, Response> Router::on_head(const Request& head) {
  Impl::Found found;
  std::optional<Response> stopped = impl_->gate ? impl_->gate(head) : std::nullopt;
  if (stopped) {
    found.label = "refused";
    found.refusal = std::move(*stopped);
  } else {
    found = impl_->resolve(head);
  }
  if (found.entry != nullptr) {
    const Route& route = found.entry->route;
    Status admitted = route.guard ? route.guard(head, found.entry->pattern.values(found.segments)) : Ok{};
    if (admitted.ok()) admitted = check_query(route, head);
    if (admitted.ok()) return BodyPolicy{route.max_body, route.spool};
    found.refusal = problem(admitted.error());
  }
  const std::string id = request_id_of(head);
  if (*impl_->on_access)
    (*impl_->on_access)({head.method, found.label, head.path, id, found.refusal.status, 0});
  return std::move(found.refusal.with("X-Request-Id", id));
}

void Router::on_request(Request request, Reply reply) {
  Impl::Found found = impl_->resolve(request);
  std::string id = request_id_of(request);
  const auto sink = std::make_shared<TimedSink>(std::move(reply), impl_->on_access, request, found.label, id);
  if (found.entry == nullptr) return sink->send(std::move(found.refusal), {});
  const Route& route = found.entry->route;
  Status taken = check_query(route, request);
  if (taken.ok()) taken = check_body(route, request);
  if (!taken.ok()) return sink->send(problem(taken.error()), {});
  try {
    route.handler(Context{std::move(request), found.entry->pattern.values(found.segments), route.pattern, id,
                          Reply(sink)});
  } catch (const std::exception& error) {
    log_error("{} {} ({}): {}", route.method, route.pattern, id, error.what());
    sink->fail();
  } catch (...) {
    log_error("{} {} ({}): an exception of unknown type", route.method, route.pattern, id);
    sink->fail();
  }
}

}  // namespace drover::http
