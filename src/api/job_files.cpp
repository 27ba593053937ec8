#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "drover/api/render.hpp"
#include "drover/base/text.hpp"

#include "handlers.hpp"
#include "support.hpp"

namespace drover::api {
namespace {

// What `?attempt=` asks for; neither: the latest.
struct Which {
  bool all = false;
  std::optional<int> attempt;
};

Result<Which> which_attempt(const http::Request& request) {
  Which which;
  which.all = request.query_value("attempt") == "all";
  if (which.all) return which;
  const auto number = query_int(request, "attempt", 1, INT32_MAX);
  if (!number.ok()) return invalid("attempt", "attempt must be a number or \"all\"");
  if (*number) which.attempt = static_cast<int>(**number);
  return which;
}

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
  return Error{code == ENOSPC ? Errc::storage_full : Errc::internal,
               fmt::format("{} for the answer: {}", doing, std::strerror(code))};
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
  // A log that grows meanwhile is copied to the size that was asked for, one that is cut to its end.
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

// All attempts one after the other, each behind a heading, as `tail` shows several files. nullopt: nobody
// waits for them any more.
Result<std::optional<Assembly>> assemble(Service& service, Call& call, const ports::JobRow& job,
                                         std::string_view stream) {
  const Result<std::vector<ports::AttemptRow>> attempts = service.deps.reads.attempts(job.number);
  if (!attempts.ok()) return attempts.error();
  Result<Assembly> out = Assembly::open(service.deps.artifacts.spool_directory());
  if (!out.ok()) return out.error();
  for (const ports::AttemptRow& attempt : *attempts) {
    if (call.given_up()) return std::optional<Assembly>();
    if (Status done = out->text(fmt::format("==> attempt {} <==\n", attempt.attempt)); !done.ok())
      return done.error();
    const Result<ports::StoredFile> log = service.deps.artifacts.log(job.number, attempt.attempt, stream);
    if (!log.ok() && log.error().code == Errc::not_found) continue;
    if (!log.ok()) return log.error();
    if (Status done = out->file(*log); !done.ok()) return done.error();
  }
  return std::optional(std::move(*out));
}

void answer_all(Service& service, const CallPtr& call, const ports::JobRow& job, std::string_view stream,
                std::int64_t offset) {
  Result<std::optional<Assembly>> assembled = assemble(service, *call, job, stream);
  if (!assembled.ok()) return call->fail(assembled.error());
  if (!assembled->has_value()) return;
  Assembly& all = **assembled;
  std::shared_ptr<http::SpooledFile> file = all.spooled();
  http::Response response = text_file(file->path(), all.size(), offset);
  call->send(std::move(response), [file](bool) {});  // the file lives until it has been written out
}

void answer_log(Service& service, const CallPtr& call, const Which& which, std::int64_t offset) {
  const std::string& stream = call->path("stream");
  const Result<ports::JobRow> job = read_job(service, call->path("job"));
  if (!job.ok()) return call->fail(job.error());
  if (which.all) return answer_all(service, call, *job, stream, offset);
  const int attempt = which.attempt.value_or(job->attempts);
  if (attempt == 0) {
    return call->fail(Error{Errc::not_found, fmt::format("job {} has not run yet", job->number.value)});
  }
  if (attempt > job->attempts) {
    return call->fail(
        Error{Errc::not_found, fmt::format("job {} has no attempt {}", job->number.value, attempt)});
  }
  const Result<ports::StoredFile> log = service.deps.artifacts.log(job->number, attempt, stream);
  if (!log.ok() && log.error().code != Errc::not_found) return call->fail(log.error());
  http::Response response = log.ok() ? text_file(log->path, log->size, offset) : empty_log();
  call->send(std::move(response.with("X-Drover-Attempt", std::to_string(attempt))));
}

Error no_file(JobNumber job, const std::string& name) {
  return Error{Errc::not_found, name == ports::kCheckpointName
                                    ? fmt::format("job {} has no checkpoint", job.value)
                                    : fmt::format("job {} has no artifact {}", job.value, name)};
}

// The artifact of this name, or the checkpoint.
void answer_file(Service& service, const CallPtr& call, const std::string& name) {
  const Result<ports::JobRow> job = read_job(service, call->path("job"));
  if (!job.ok()) return call->fail(job.error());
  const Result<std::optional<ports::ArtifactRow>> row = service.deps.reads.artifact(job->number, name);
  if (!row.ok()) return call->fail(row.error());
  if (!row->has_value()) return call->fail(no_file(job->number, name));
  const ports::ArtifactRow& kept = **row;
  const Result<ports::StoredFile> file = service.deps.artifacts.get(job->number, kept.attempt, name);
  if (!file.ok()) return call->fail(file.error());
  http::Response response;
  response.body = http::FileBody{file->path, 0, file->size};
  response.with("Content-Type", "application/octet-stream").with("X-Content-Type-Options", "nosniff");
  response.with("Content-Disposition", attachment(download_name(name)));
  response.with("X-Checksum-Sha256", to_hex(kept.sha256));
  call->send(std::move(response.with("X-Drover-Attempt", std::to_string(kept.attempt))));
}

}  // namespace

void get_log(const ServicePtr& service, const CallPtr& call) {
  const std::string& stream = call->path("stream");
  if (stream != "stdout" && stream != "stderr") {
    return call->fail(Error{Errc::not_found, "a job's logs are stdout and stderr"});
  }
  const Result<Which> which = which_attempt(call->request());
  if (!which.ok()) return call->fail(which.error());
  const auto offset = query_int(call->request(), "offset", 0, INT64_MAX);
  if (!offset.ok()) return call->fail(offset.error());
  service->read(call, [service, call, which = *which, from = offset->value_or(0)] {
    answer_log(*service, call, which, from);
  });
}

void list_artifacts(const ServicePtr& service, const CallPtr& call) {
  const Result<int> limit = query_limit(call->request(), limits::kPageRows);
  if (!limit.ok()) return call->fail(limit.error());
  service->read(call, [service, call, limit = *limit] {
    const Result<ports::JobRow> job = read_job(*service, call->path("job"));
    if (!job.ok()) return call->fail(job.error());
    const Result<std::vector<ports::ArtifactRow>> rows =
        service->deps.reads.artifacts(job->number, call->request().query_value("after").value_or(""), limit);
    if (!rows.ok()) return call->fail(rows.error());
    Json body = Json::array();
    for (const ports::ArtifactRow& row : *rows) body.push(artifact_json(row));
    http::Response response = http::Response::json(200, body.dump() + "\n");
    if (static_cast<int>(rows->size()) == limit) {
      response.with("Link", next_link(call->request(), limit, "after", rows->back().name));
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

}  // namespace drover::api
