#include "fake_store.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>

#include "drover/base/text.hpp"

namespace drover::api {

std::string read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

Result<std::optional<ports::JobRow>> FakeStore::job(JobNumber number) {
  if (read_error) return *read_error;
  const auto found = job_rows.find(number.value);
  return found == job_rows.end() ? std::nullopt : std::optional(found->second);
}

Result<std::vector<ports::JobRow>> FakeStore::jobs(const ports::JobFilter& filter) {
  if (before_jobs) before_jobs();
  if (read_error) return *read_error;
  {
    const std::lock_guard lock(filter_mutex);
    last_filter = filter;
  }
  std::vector<ports::JobRow> rows;
  for (auto it = job_rows.rbegin(); it != job_rows.rend() && static_cast<int>(rows.size()) < filter.limit;
       ++it) {
    const ports::JobRow& row = it->second;
    if (filter.before && row.number >= *filter.before) continue;
    if (filter.state && row.state != *filter.state) continue;
    if (filter.queue && row.spec.queue != *filter.queue) continue;
    if (filter.name && row.spec.name != *filter.name) continue;
    rows.push_back(row);
  }
  return rows;
}

Result<std::vector<ports::AttemptRow>> FakeStore::attempts(JobNumber) {
  if (read_error) return *read_error;
  return attempt_rows;
}

Result<std::vector<ports::ArtifactRow>> FakeStore::artifacts(JobNumber, std::string_view after, int limit) {
  if (read_error) return *read_error;
  std::map<std::string, ports::ArtifactRow> by_name;
  for (const ports::ArtifactRow& row : artifact_rows) {
    if (row.name > after) by_name.emplace(row.name, row);
  }
  std::vector<ports::ArtifactRow> rows;
  for (const auto& [name, row] : by_name) {
    if (static_cast<int>(rows.size()) < limit) rows.push_back(row);
  }
  return rows;
}

Result<std::optional<ports::ArtifactRow>> FakeStore::artifact(JobNumber, std::string_view name) {
  if (read_error) return *read_error;
  for (const ports::ArtifactRow& row : artifact_rows) {
    if (row.name == name) return std::optional(row);
  }
  return std::optional<ports::ArtifactRow>();
}

Result<std::vector<ports::WorkerRow>> FakeStore::workers(bool with_gone, std::optional<WorkerId> before,
                                                         int limit) {
  if (read_error) return *read_error;
  std::vector<ports::WorkerRow> rows;
  for (const ports::WorkerRow& row : worker_rows) {
    if (static_cast<int>(rows.size()) == limit) break;
    if ((before && row.id >= *before) || (!with_gone && row.state == core::WorkerState::gone)) continue;
    rows.push_back(row);
  }
  return rows;
}

Result<std::optional<ports::WorkerRow>> FakeStore::worker(const std::string& name) {
  if (read_error) return *read_error;
  for (const ports::WorkerRow& row : worker_rows) {
    if (row.instance_id == name || std::to_string(row.id.value) == name) return std::optional(row);
  }
  return std::optional<ports::WorkerRow>();
}

Result<std::vector<ports::PoolRow>> FakeStore::pools() {
  if (read_error) return *read_error;
  return pool_rows;
}

Result<std::optional<ports::LaunchRow>> FakeStore::launch_by_token(const Sha256& hash) {
  if (read_error) return *read_error;
  for (const auto& [token, launch] : launches) {
    if (sha256(token) == hash) return std::optional(launch);
  }
  return std::optional<ports::LaunchRow>();
}

FakeArtifacts::FakeArtifacts() {
  std::string path = (std::filesystem::temp_directory_path() / "drover-api-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("cannot make a directory");
  root_ = path;
}

FakeArtifacts::~FakeArtifacts() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

std::string FakeArtifacts::path(JobNumber job, int attempt, std::string_view name) const {
  return fmt::format("{}/{}.{}.{}", root_, job.value, attempt, percent_encode(name));
}

Result<Sha256> FakeArtifacts::put(JobNumber job, int attempt, std::string_view name,
                                  const std::string& spooled) {
  const std::string to = path(job, attempt, name);
  std::filesystem::rename(spooled, to);
  return sha256(read_whole(to));
}

Result<ports::StoredFile> FakeArtifacts::get(JobNumber job, int attempt, std::string_view name) {
  const std::string from = path(job, attempt, name);
  std::error_code error;
  const auto size = std::filesystem::file_size(from, error);
  if (error) return Error{Errc::not_found, "no such file"};
  return ports::StoredFile{from, static_cast<std::int64_t>(size)};
}

Result<std::int64_t> FakeArtifacts::append_log(JobNumber job, int attempt, std::string_view stream,
                                               std::int64_t offset, std::string_view data) {
  const Result<ports::StoredFile> present = log(job, attempt, stream);
  const std::int64_t size = present.ok() ? present->size : 0;
  if (offset != size) {
    return Error{.code = Errc::conflict, .message = "not the present size", .detail = std::to_string(size)};
  }
  std::ofstream out(path(job, attempt, stream), std::ios::binary | std::ios::app);
  out << data;
  return size + static_cast<std::int64_t>(data.size());
}

Result<ports::StoredFile> FakeArtifacts::log(JobNumber job, int attempt, std::string_view stream) {
  return get(job, attempt, stream);
}

void FakeMetrics::set(std::string_view gauge, double value, ports::MetricLabels labels) {
  std::string key(gauge);
  for (const auto& [name, text] : labels) key += fmt::format(",{}={}", name, text);
  const std::lock_guard lock(mutex_);
  values_[key] = value;
}

void FakeMetrics::replace(std::string_view gauge, const std::vector<ports::GaugeSample>& series) {
  const std::lock_guard lock(mutex_);
  std::erase_if(values_,
                [&](const auto& entry) { return entry.first.substr(0, entry.first.find(',')) == gauge; });
  for (const ports::GaugeSample& sample : series) {
    std::string key(gauge);
    for (const auto& [name, text] : sample.labels) key += fmt::format(",{}={}", name, text);
    values_[key] = sample.value;
  }
}

std::string FakeMetrics::render() {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [key, value] : values_) out += fmt::format("{} {}\n", key, value);
  return out;
}

}  // namespace drover::api
