#include "job_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "drover/base/text.hpp"

#include "bodies.hpp"
#include "handlers.hpp"
#include "queries.hpp"
#include "support.hpp"
#include "worker_shell.hpp"

namespace drover::api {
namespace {

void answer_log(Service& service, const CallPtr& call, const LogQuery& query);
void answer_file(Service& service, const CallPtr& call, const std::string& name);

}  // namespace

void get_log(const ServicePtr& service, const CallPtr& call) {
  const std::string& stream = call->path("stream");
  if (stream != "stdout" && stream != "stderr") {
    return call->fail(not_found("a job's logs are stdout and stderr"));
  }
  const std::optional<LogQuery> query = query_by(call, log_query_table());
  if (!query) return;
  service->read(call, [service, call, query = *query] { answer_log(*service, call, query); });
}

void list_artifacts(const ServicePtr& service, const CallPtr& call) {
  const std::optional<ArtifactsQuery> query = query_by(call, artifacts_query_table());
  if (!query) return;
  service->read(call, [service, call, query = *query] {
    const Result<services::JobKey> key = job_key(call->path("job"));
    if (!key.ok()) return call->fail(key.error());
    const Result<std::vector<ports::ArtifactRow>> rows =
        service->jobs.artifacts(call->who(), *key, query.after, query.limit);
    if (!rows.ok()) return call->fail(rows.error());
    Json body = Json::array();
    for (const ports::ArtifactRow& row : *rows) body.push(artifact_table().write(row));
    http::Response response = http::Response::json(200, body.dump() + "\n");
    if (static_cast<int>(rows->size()) == query.limit) {
      response.with("Link", next_link(call->request(), query.limit, "after", rows->back().name));
    }
    call->send(std::move(response));
  });
}

void get_artifact(const ServicePtr& service, const CallPtr& call) {
  const std::string& name = call->path("name");
  // Version 1 of the worker program takes the path of a checkpoint for the name of an artifact.
  if (name == checkpoint_path(call->path("job"))) return get_checkpoint(service, call);
  if (Status named = ports::check_artifact_name(name); !named.ok()) return call->fail(named.error());
  service->read(call, [service, call, name] { answer_file(*service, call, name); });
}

void get_checkpoint(const ServicePtr& service, const CallPtr& call) {
  service->read(call, [service, call] { answer_file(*service, call, std::string(ports::kCheckpointName)); });
}

namespace {

http::Response text_file(const std::string& path, std::int64_t size, std::int64_t offset) {
  http::Response response;
  response.body = http::FileBody{path, std::min(offset, size), std::max<std::int64_t>(0, size - offset)};
  response.with("Content-Type", "text/plain; charset=utf-8").with("X-Content-Type-Options", "nosniff");
  response.with("Cache-Control", "no-store");
  return std::move(response.with("X-Drover-Next-Offset", std::to_string(size)));
}

http::Response empty_log() {
  http::Response response = http::Response::text(200, "");
  return std::move(response.with("Cache-Control", "no-store").with("X-Drover-Next-Offset", "0"));
}

Error file_error(std::string_view doing) {
  const int code = errno;
  std::string text = fmt::format("{} for the answer: {}", doing, std::strerror(code));
  return code == ENOSPC ? storage_full(std::move(text)) : internal(std::move(text));
}

// A file being put together from others, in the store's spool directory.
class Assembly {
 public:
  static Result<Assembly> open(const std::string& directory) {
    std::string path = directory + "/answer-XXXXXX";
    const int fd = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd < 0) return file_error("cannot make a file");
    return Assembly(fd, std::make_shared<http::SpooledFile>(path, 0));
  }
  Assembly(Assembly&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), size_(other.size_), file_(std::move(other.file_)) {}
  Assembly& operator=(Assembly&&) = delete;
  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;
  ~Assembly() {
    if (fd_ >= 0) ::close(fd_);
  }

  Status text(std::string_view text) {
    while (!text.empty()) {
      const ssize_t wrote = ::write(fd_, text.data(), text.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return file_error("cannot write");
      text.remove_prefix(static_cast<std::size_t>(wrote));
      size_ += wrote;
    }
    return Ok{};
  }
  Status file(const ports::StoredFile& source) {
    const int from = ::open(source.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (from < 0) return file_error("cannot open a log");
    Status status = copy(from, source.size);
    ::close(from);
    return status;
  }
  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] std::shared_ptr<http::SpooledFile> spooled() const { return file_; }

 private:
  Assembly(int fd, std::shared_ptr<http::SpooledFile> file) : fd_(fd), file_(std::move(file)) {}
  // Copies `left` bytes, or up to the end of a log that became shorter meanwhile.
  Status copy(int from, std::int64_t left) {
    constexpr std::int64_t kPiece = 16 * 1024 * 1024;
    while (left > 0) {
      const ssize_t copied = ::sendfile(fd_, from, nullptr, static_cast<std::size_t>(std::min(left, kPiece)));
      if (copied < 0 && errno == EINTR) continue;
      if (copied < 0) return file_error("cannot copy a log");
      if (copied == 0) break;
      left -= copied;
      size_ += copied;
    }
    return Ok{};
  }

  int fd_ = -1;
  std::int64_t size_ = 0;
  std::shared_ptr<http::SpooledFile> file_;
};

// Puts the logs of all attempts into one file, each after a heading, as `tail` shows several files. nullopt:
// the client does not wait any more.
Result<std::optional<Assembly>> assemble(Service& service, Call& call, const services::JobKey& key,
                                         std::string_view stream) {
  const Result<std::vector<services::JobLog>> logs = service.jobs.logs(call.who(), key, stream);
  if (!logs.ok()) return logs.error();
  Result<Assembly> out = Assembly::open(service.deps.spool_directory);
  if (!out.ok()) return out.error();
  for (const services::JobLog& log : *logs) {
    if (call.given_up()) return std::optional<Assembly>();
    if (Status done = out->text(fmt::format("==> attempt {} <==\n", log.attempt)); !done.ok())
      return done.error();
    if (!log.file) continue;
    if (Status done = out->file(*log.file); !done.ok()) return done.error();
  }
  return std::optional(std::move(*out));
}

void answer_all(Service& service, const CallPtr& call, const services::JobKey& key, std::string_view stream,
                std::int64_t offset) {
  Result<std::optional<Assembly>> assembled = assemble(service, *call, key, stream);
  if (!assembled.ok()) return call->fail(assembled.error());
  if (!assembled->has_value()) return;
  Assembly& all = **assembled;
  std::shared_ptr<http::SpooledFile> file = all.spooled();
  http::Response response = text_file(file->path(), all.size(), offset);
  call->send(std::move(response), [file](bool) {});  // keeps the file until the answer was written
}

// Answers with the log as it grows. Each look at the attempt is made in the caller's name.
void follow_log(Service& service, const CallPtr& call, const services::JobKey& key, int attempt,
                std::int64_t offset) {
  // The kernel refuses to read at an offset behind which a whole piece would not fit in 64 bits. No log is so
  // long, so that such a reader may as well stand a little earlier.
  constexpr std::int64_t kFurthest = INT64_MAX - static_cast<std::int64_t>(limits::kStreamPieceBytes);
  LogFollower follower{.job = key.number, .offset = std::min(offset, kFurthest), .look = {}};
  follower.look = [&jobs = service.jobs, who = call->who(), key, attempt, stream = call->path("stream")] {
    LogLook look;
    // The attempt is read first. In the other order a log that is begun between the two reads, just before
    // the attempt ends, would be taken for empty.
    const Result<std::vector<ports::AttemptRow>> attempts = jobs.attempts(who, key);
    if (!attempts.ok()) return look;
    for (const ports::AttemptRow& row : *attempts)
      look.ended = look.ended || (row.attempt == attempt && row.ended);
    const Result<services::JobLog> log = jobs.log(who, key, stream, attempt);
    if (!log.ok()) return LogLook{};
    if (log->file) look.path = log->file->path;
    return look;
  };
  http::Response response;
  response.body = http::StreamBody{[self = service.shared_from_this(), follower](http::Stream stream) {
    self->followers.follow(follower, std::move(stream));
  }};
  response.with("Content-Type", "text/plain; charset=utf-8").with("X-Content-Type-Options", "nosniff");
  response.with("Cache-Control", "no-store").with("X-Drover-Attempt", std::to_string(attempt));
  call->send(std::move(response));
}

void answer_log(Service& service, const CallPtr& call, const LogQuery& query) {
  const WhichAttempt& which = query.attempt;
  const std::int64_t offset = query.offset;
  const std::string& stream = call->path("stream");
  const Result<services::JobKey> key = job_key(call->path("job"));
  if (!key.ok()) return call->fail(key.error());
  if (which.all) return answer_all(service, call, *key, stream, offset);
  const Result<services::JobLog> log = service.jobs.log(call->who(), *key, stream, which.attempt);
  if (!log.ok()) return call->fail(log.error());
  if (query.follow) return follow_log(service, call, *key, log->attempt, offset);
  http::Response response = log->file ? text_file(log->file->path, log->file->size, offset) : empty_log();
  call->send(std::move(response.with("X-Drover-Attempt", std::to_string(log->attempt))));
}

// The artifact of this name, or the checkpoint.
void answer_file(Service& service, const CallPtr& call, const std::string& name) {
  const Result<services::JobKey> key = job_key(call->path("job"));
  if (!key.ok()) return call->fail(key.error());
  const Result<services::JobFile> kept = service.jobs.file(call->who(), *key, name);
  if (!kept.ok()) return call->fail(kept.error());
  http::Response response;
  response.body = http::FileBody{kept->file.path, 0, kept->file.size};
  response.with("Content-Type", "application/octet-stream").with("X-Content-Type-Options", "nosniff");
  response.with("Content-Disposition", attachment(download_name(name)));
  response.with("X-Checksum-Sha256", to_hex(kept->row.sha256));
  call->send(std::move(response.with("X-Drover-Attempt", std::to_string(kept->row.attempt))));
}

}  // namespace

std::string_view download_name(std::string_view artifact) {
  if (artifact == ports::kCheckpointName) return ports::kOldCheckpointName;
  return split(artifact, '/').back();
}

std::string attachment(std::string_view name) {
  std::string safe;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    safe += byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\' || c == '/' || c == '%' ? '_' : c;
  }
  return "attachment; filename=\"" + safe + "\"; filename*=UTF-8''" + percent_encode(name);
}

}  // namespace drover::api
