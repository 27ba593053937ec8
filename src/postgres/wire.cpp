#include "wire.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "drover/base/check.hpp"

namespace drover::postgres {
namespace {

// From the Unix epoch to 2000-01-01, from which PostgreSQL counts.
constexpr std::int64_t kEpochShift = 946'684'800'000'000;

template <class Array>
void copy_bytes(std::string_view bytes, Array& out) {
  std::copy_n(bytes.begin(), std::min(bytes.size(), out.size()), out.begin());
}

[[noreturn]] void fail_column(const pg_result* result, std::string_view statement, std::string_view column) {
  std::string present;
  for (int place = 0; place < PQnfields(result); ++place) {
    present.append(place == 0 ? "" : ", ").append(PQfname(result, place));
  }
  throw CheckFailed(fmt::format("the rows of {} have no column {}; they have: {}",
                                statement.empty() ? "a script" : statement, column, present));
}

}  // namespace

void put_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift)));
  }
}

std::int64_t get_big_endian(std::string_view bytes) {
  if (bytes.empty()) return 0;
  std::uint64_t value = (static_cast<unsigned char>(bytes[0]) & 0x80U) != 0 ? ~std::uint64_t{0} : 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

void Wire<double>::put(std::string& out, double v) {
  put_big_endian(out, std::bit_cast<std::uint64_t>(v), 8);
}
double Wire<double>::get(std::string_view bytes) {
  return std::bit_cast<double>(get_big_endian(bytes));
}

void Wire<WallTime>::put(std::string& out, WallTime v) {
  const std::int64_t micros =
      v == kInfinity ? std::numeric_limits<std::int64_t>::max() : v.time_since_epoch().count() - kEpochShift;
  Wire<std::int64_t>::put(out, micros);
}
WallTime Wire<WallTime>::get(std::string_view bytes) {
  const std::int64_t micros = get_big_endian(bytes);
  if (micros > std::numeric_limits<std::int64_t>::max() - kEpochShift) return kInfinity;
  return WallTime(Micros(micros + kEpochShift));
}

Sha256 Wire<Sha256>::get(std::string_view bytes) {
  Sha256 out{};
  copy_bytes(bytes, out);
  return out;
}
Uuid Wire<Uuid>::get(std::string_view bytes) {
  Uuid out;
  copy_bytes(bytes, out.bytes);
  return out;
}

void ResultDeleter::operator()(pg_result* result) const {
  PQclear(result);
}

// Columns are mostly read in the statement's order. So the search begins behind the one found last, where it
// ends at once, and goes round.
int RowReader::place_of(std::string_view column) {
  const int columns = PQnfields(result_);
  for (int tried = 0; tried < columns; ++tried) {
    const int place = next_ < columns ? next_ : 0;
    next_ = place + 1;
    if (column == PQfname(result_, place)) return place;
  }
  fail_column(result_, statement_, column);
}

std::optional<std::string_view> RowReader::value(std::string_view column) {
  const int place = place_of(column);
  if (PQgetisnull(result_, row_, place) != 0) return std::nullopt;
  return std::string_view(PQgetvalue(result_, row_, place),
                          static_cast<std::size_t>(PQgetlength(result_, row_, place)));
}

RowReader& RowReader::read(std::string_view column, std::vector<WorkerId>& out) {
  out.clear();
  const std::string_view bytes = value(column).value_or(std::string_view());
  constexpr std::size_t kHeader = 20;
  constexpr std::size_t kElement = 12;  // a length of four bytes, then eight
  for (std::size_t at = kHeader; at + kElement <= bytes.size(); at += kElement) {
    out.push_back(WorkerId{get_big_endian(bytes.substr(at + 4, 8))});
  }
  return *this;
}

int Rows::size() const {
  return result_ ? PQntuples(result_.get()) : 0;
}
std::string Rows::command_tag() const {
  return result_ ? PQcmdStatus(result_.get()) : "";
}

}  // namespace drover::postgres
