#include "drover/net/curl_client.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include <curl/curl.h>

#include "drover/base/text.hpp"

namespace drover::net {
namespace {

struct EasyDelete {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Easy = std::unique_ptr<CURL, EasyDelete>;

struct ListDelete {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDelete>;

// What the callbacks fill; `limit` counts the bytes of body and headers together.
struct Sink {
  CURL* handle = nullptr;
  const ports::HttpRequest* request = nullptr;
  ports::HttpReply reply;
  std::size_t limit = 0;
  std::size_t seen = 0;
  bool too_large = false;
  bool in_body = false;

  bool take(std::size_t size) {
    if (size > limit - seen) {
      too_large = true;
      return false;
    }
    seen += size;
    return true;
  }
  // Whether the body goes to the request's own function; fills in the status for it.
  bool streams() {
    if (!request->on_body) return false;
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    reply.status = static_cast<int>(status);
    return status >= 200 && status <= 299;
  }
};

std::size_t on_body(char* data, std::size_t one, std::size_t size, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  sink.in_body = true;
  if (sink.streams()) return sink.request->on_body(sink.reply, {data, one * size}) ? one * size : 0;
  if (!sink.take(one * size)) return 0;
  sink.reply.body.append(data, one * size);
  return one * size;
}

std::size_t on_header(char* data, std::size_t one, std::size_t size, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  const std::string_view line(data, one * size);
  if (!sink.take(line.size())) return 0;
  if (sink.in_body) return line.size();  // a trailer: nothing here may override a header
  if (line.starts_with("HTTP/")) {
    sink.reply.headers.clear();  // those before belonged to an interim 1xx answer
    return line.size();
  }
  const auto colon = line.find(':');
  if (colon != std::string_view::npos) {
    sink.reply.headers.emplace_back(lower(trim(line.substr(0, colon))), trim(line.substr(colon + 1)));
  }
  return line.size();
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

bool sendable(const ports::HttpRequest& request) {
  if (request.method.empty() || has_control(request.method) || has_control(request.url)) return false;
  return std::none_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return header.first.empty() || has_control(header.first) || has_control(header.second) ||
           header.first.find_first_of(": ;") != std::string::npos;
  });
}

void append(HeaderList& list, const std::string& line) {
  if (auto* longer = curl_slist_append(list.get(), line.c_str())) {
    (void)list.release();
    list.reset(longer);
  }
}

// libcurl adds headers of its own (Expect, and a Content-Type for any body). Naming them without a value
// removes them.
HeaderList header_list(const ports::HttpRequest& request) {
  HeaderList list;
  append(list, "Expect:");
  bool typed = false;
  for (const auto& [name, value] : request.headers) {
    if (iequals(name, "expect")) continue;
    typed = typed || iequals(name, "content-type");
    append(list, std::string(name).append(value.empty() ? ";" : ": ").append(value));
  }
  if (!typed) append(list, "Content-Type:");
  return list;
}

void set_method_and_body(CURL* handle, const ports::HttpRequest& request) {
  if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.method == "GET" && request.body.empty()) return;
  const bool expects_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (expects_body || !request.body.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void set_policy(CURL* handle, const CurlOptions& options) {
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, options.ca_file.c_str());
  curl_easy_setopt(handle, CURLOPT_USERAGENT, options.user_agent.c_str());
}

long at_least_one(Millis time) {
  return static_cast<long>(std::max<Millis::rep>(time.count(), 1));
}

void set_deadlines(CURL* handle, const ports::HttpRequest& request) {
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, at_least_one(request.connect_timeout));
  if (!request.on_body) {
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, at_least_one(request.total_timeout));
    return;
  }
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, std::max(1L, at_least_one(request.total_timeout) / 1000));
}

// Scheme and host for a message: a path or query may hold a secret.
std::string origin_of(std::string_view url) {
  const auto scheme = url.find("://");
  const auto from = scheme == std::string_view::npos ? 0 : scheme + 3;
  const auto end = url.find_first_of("/?#", from);
  auto origin = std::string(url.substr(0, end));
  if (const auto at = origin.rfind('@'); at != std::string::npos && at >= from)
    origin.erase(from, at + 1 - from);
  return origin;
}

Error error_of(CURLcode code, const Sink& sink, const char* text, const ports::HttpRequest& request) {
  const std::string origin = origin_of(request.url);
  if (sink.too_large) {
    return too_large("the answer of " + origin + " exceeds " + std::to_string(request.max_reply_bytes) +
                     " bytes");
  }
  const std::string reason = *text != '\0' ? text : curl_easy_strerror(code);
  const auto errc = code == CURLE_OPERATION_TIMEDOUT ? Errc::timeout : Errc::unavailable;
  return {errc, "no answer from " + origin + ": " + reason};
}

void init_library() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

class CurlHttpClient::Pool {
 public:
  explicit Pool(std::size_t kept) : kept_(kept) {}

  Easy take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        Easy handle = std::move(idle_.back());
        idle_.pop_back();
        return handle;
      }
    }
    return Easy(curl_easy_init());
  }

  void give_back(Easy handle) {
    curl_easy_reset(handle.get());  // forgets the request, keeps connections and names
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kept_) idle_.push_back(std::move(handle));
  }

 private:
  std::mutex mutex_;
  std::vector<Easy> idle_;
  std::size_t kept_;
};

CurlHttpClient::CurlHttpClient(CurlOptions options) : options_(std::move(options)) {
  init_library();
  pool_ = std::make_unique<Pool>(options_.kept_handles);
}

CurlHttpClient::~CurlHttpClient() = default;

Result<ports::HttpReply> CurlHttpClient::send(const ports::HttpRequest& request) {
  if (!sendable(request)) {
    return unavailable("the request for " + origin_of(request.url) + " holds a forbidden character");
  }
  Easy easy = pool_->take();
  if (!easy) return unavailable("no memory for a connection");
  CURL* handle = easy.get();

  Sink sink;
  sink.handle = handle;
  sink.request = &request;
  sink.limit = request.max_reply_bytes;
  std::array<char, CURL_ERROR_SIZE> text{};
  const HeaderList headers = header_list(request);
  set_policy(handle, options_);
  set_method_and_body(handle, request);
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  set_deadlines(handle, request);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, text.data());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &sink);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &sink);

  const CURLcode code = curl_easy_perform(handle);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  pool_->give_back(std::move(easy));
  if (code != CURLE_OK) return error_of(code, sink, text.data(), request);
  sink.reply.status = static_cast<int>(status);
  return std::move(sink.reply);
}

}  // namespace drover::net
