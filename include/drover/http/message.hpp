#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/result.hpp"

namespace drover::http {

using Headers = std::vector<std::pair<std::string, std::string>>;  // names lower-case in requests

// A file that is removed when the last holder lets go (a spooled request body).
class SpooledFile {
 public:
  SpooledFile(std::string path, std::int64_t size) : path_(std::move(path)), size_(size) {}
  SpooledFile(const SpooledFile&) = delete;
  SpooledFile& operator=(const SpooledFile&) = delete;
  ~SpooledFile();
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::int64_t size() const { return size_; }

 private:
  std::string path_;
  std::int64_t size_;
};

struct Request {
  std::string method;     // upper-case, as sent
  std::string path;       // percent-decoded, without query; begins with '/'
  std::string raw_path;   // the path as sent, where %2F is not '/'; empty in a request made by hand
  std::string authority;  // "host:port" of a target in absolute form; empty in the usual form
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  Headers headers;
  std::string body;
  std::shared_ptr<SpooledFile> spooled;  // instead of body, on routes that ask for it
  std::string peer;                      // address of the other end
  [[nodiscard]] std::string_view header(std::string_view lower_name) const;  // first; empty when absent
  // Where the request was sent, "host:port": the authority of its target, else the Host field.
  [[nodiscard]] std::string_view host() const;
  // Whether the request says where it was sent. One of HTTP/1.0 need not.
  [[nodiscard]] bool named_host() const;
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const;  // first
};

// Fills path, raw_path, authority and query from a request-target ("/a%20b?x=1", "http://host/a", and "*" if
// the method, which is set already, is OPTIONS). An Errc::invalid for a broken escape, a NUL, bytes that are
// not UTF-8, or another form.
Status parse_target(std::string_view target, Request& request);

// "Not Found" for 404; empty for a status this program never sends.
std::string_view reason_phrase(int status);

// Part of a file as a body; the transport opens it when it starts to write.
struct FileBody {
  std::string path;
  std::int64_t offset = 0;
  std::int64_t length = 0;
};

// The sending end of a StreamBody: any thread may send pieces, and no call waits for the peer. Copies are the
// same stream. When the last copy goes away without end(), what was sent is still written, then the
// connection is broken in a way that tells the client that its answer is not whole. Thread-safe.
class Stream {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;  // the last copy has gone
    virtual bool send(std::string piece) = 0;
    virtual void end() = 0;
    [[nodiscard]] virtual bool open() const = 0;
    [[nodiscard]] virtual std::size_t queued() const = 0;
    virtual bool when_drained(std::function<void()> call) = 0;
  };
  explicit Stream(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}

  // Queues a piece; an empty one has no effect. False when nobody will get it: the peer is gone, the server
  // stops, the stream was ended, or its reader is too slow and was cut off, by this call or earlier. A reader
  // is too slow when more than limits::kStreamQueueBytes would be queued (so no piece may be larger); when
  // all streams together hold limits::kStreamsQueueBytes and this one would hold more than its share, which
  // is never less than limits::kStreamPieceBytes; or when it took nothing of a queue for the server's write
  // time-out.
  bool send(std::string piece) const { return sink_->send(std::move(piece)); }
  // Completes the body. The connection goes on with the next request once all of it is written.
  void end() const { sink_->end(); }
  // Whether send() may still succeed. A peer that closes is noticed at once, without anything being sent; one
  // that has closed its sending half alone cannot be told from it and counts as gone.
  [[nodiscard]] bool open() const { return sink_->open(); }
  // Bytes sent and not yet taken by the kernel.
  [[nodiscard]] std::size_t queued() const { return sink_->queued(); }
  // For a producer that has more to send than may be queued: `call` is called once as soon as nothing is
  // queued, or the stream is over, on a thread of the transport and never within this call; it must not
  // block. It may hold a copy of the stream. A second call takes the place of one that still waits. False,
  // and `call` is dropped, when the stream is over or ended already.
  bool when_drained(std::function<void()> call) const { return sink_->when_drained(std::move(call)); }

 private:
  std::shared_ptr<Sink> sink_;
};

// A body of unknown length. Once the head is on its way `begin` is called, on a thread of the transport; it
// must not block, and may send at once or keep the stream for later. An exception in it breaks the
// connection. It is not called where there is no body (HEAD, 204, 304), nor when the peer is gone, when too
// many streams are open or the server stops (503 is answered instead), nor over cpprestsdk (501).
struct StreamBody {
  std::function<void(Stream)> begin;
};

struct Response {
  int status = 200;
  // Content-Length, Transfer-Encoding and Connection are the transport's; Date too unless given.
  Headers headers;
  std::variant<std::string, FileBody, StreamBody> body;
  bool close = false;    // end the connection after this
  bool abandon = false;  // end the connection now, without any answer (the local cloud's lost replies)

  static Response json(int status, std::string body);
  static Response text(int status, std::string body);  // text/plain; charset=utf-8
  Response& with(std::string name, std::string value);
};

// The answer to one request, given once (a second one is dropped and logged), now or later, from any thread.
// If every copy goes away unanswered the transport answers 500.
class Reply {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void send(Response response, std::function<void(bool)> done) = 0;
    [[nodiscard]] virtual bool open() const = 0;
  };
  explicit Reply(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}
  // `done(true)` once every byte was handed to the kernel, `done(false)` if the peer was gone. Called once,
  // on any thread; it must not block. Of a stream: true once it was ended and all of it, or its head where
  // there is no body, was handed to the kernel; false as soon as that has become impossible, so that a
  // producer that is silent learns that its peer has gone.
  void send(Response response, std::function<void(bool delivered)> done = {}) const {
    sink_->send(std::move(response), std::move(done));
  }
  // False when the peer is known to have closed: an answer would reach nobody.
  [[nodiscard]] bool open() const { return sink_->open(); }

 private:
  std::shared_ptr<Sink> sink_;
};

// How much of a body to read, and where to. The transport asks for it before it reads.
struct BodyPolicy {
  std::int64_t max_bytes = 0;  // more is 413
  bool spool = false;          // to a file in the spool directory instead of memory
};

// What a transport serves. Thread-safe; neither call blocks.
class Handler {
 public:
  virtual ~Handler() = default;
  // After the header: how much body to take. A Response refuses the request without reading its body.
  virtual std::variant<BodyPolicy, Response> on_head(const Request& head) = 0;
  virtual void on_request(Request request, Reply reply) = 0;
};

}  // namespace drover::http
