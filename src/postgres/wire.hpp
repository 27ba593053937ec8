#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drover/base/clock.hpp"
#include "drover/base/ids.hpp"
#include "drover/base/secret.hpp"

struct pg_result;

// PostgreSQL's binary formats. Parameters and results all use them: nothing is escaped, quoted or printed,
// and the server refuses a parameter whose type is not the one the statement casts it to.
namespace drover::postgres {

// Time without end, PostgreSQL's 'infinity'.
inline constexpr WallTime kInfinity = WallTime::max();

void put_big_endian(std::string& out, std::uint64_t value, int bytes);
// Two's complement of 1, 2, 4 or 8 bytes.
std::int64_t get_big_endian(std::string_view bytes);

// oid: the type's number in pg_type, which never changes. put appends the value, get reads it.
template <class T>
struct Wire;

template <>
struct Wire<std::int64_t> {
  static constexpr unsigned kOid = 20;
  static void put(std::string& out, std::int64_t v) { put_big_endian(out, static_cast<std::uint64_t>(v), 8); }
  static std::int64_t get(std::string_view bytes) { return get_big_endian(bytes); }
};
template <>
struct Wire<int> {
  static constexpr unsigned kOid = 23;
  static void put(std::string& out, int v) { put_big_endian(out, static_cast<std::uint32_t>(v), 4); }
  static int get(std::string_view bytes) { return static_cast<int>(get_big_endian(bytes)); }
};
template <>
struct Wire<bool> {
  static constexpr unsigned kOid = 16;
  static void put(std::string& out, bool v) { out.push_back(v ? '\1' : '\0'); }
  static bool get(std::string_view bytes) { return !bytes.empty() && bytes[0] != '\0'; }
};
template <>
struct Wire<double> {
  static constexpr unsigned kOid = 701;
  static void put(std::string& out, double v);
  static double get(std::string_view bytes);
};
template <>
struct Wire<std::string_view> {
  static constexpr unsigned kOid = 25;
  static void put(std::string& out, std::string_view v) { out.append(v); }
};
template <>
struct Wire<std::string> {
  static constexpr unsigned kOid = 25;
  static void put(std::string& out, const std::string& v) { out.append(v); }
  static std::string get(std::string_view bytes) { return std::string(bytes); }
};
template <>
struct Wire<WallTime> {
  static constexpr unsigned kOid = 1184;
  static void put(std::string& out, WallTime v);
  static WallTime get(std::string_view bytes);
};
template <>
struct Wire<Sha256> {
  static constexpr unsigned kOid = 17;
  static void put(std::string& out, const Sha256& v) {
    out.append(reinterpret_cast<const char*>(v.data()), v.size());
  }
  static Sha256 get(std::string_view bytes);
};
template <>
struct Wire<Uuid> {
  static constexpr unsigned kOid = 2950;
  static void put(std::string& out, const Uuid& v) {
    out.append(reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size());
  }
  static Uuid get(std::string_view bytes);
};
template <>
struct Wire<Seconds> : Wire<std::int64_t> {
  static void put(std::string& out, Seconds v) { Wire<std::int64_t>::put(out, v.count()); }
  static Seconds get(std::string_view bytes) { return Seconds{get_big_endian(bytes)}; }
};
template <class Tag>
struct Wire<Id<Tag>> : Wire<std::int64_t> {
  static void put(std::string& out, Id<Tag> v) { Wire<std::int64_t>::put(out, v.value); }
  static Id<Tag> get(std::string_view bytes) { return Id<Tag>{get_big_endian(bytes)}; }
};

// One array parameter, filled row by row: the column of an unnest.
template <class T>
class Column {
 public:
  void push(const T& value) {
    const std::size_t at = body_.size();
    put_big_endian(body_, 0, 4);
    Wire<T>::put(body_, value);
    std::string length;
    put_big_endian(length, body_.size() - at - 4, 4);
    body_.replace(at, 4, length);
    ++count_;
  }
  void push(const std::optional<T>& value) { value ? push(*value) : push_null(); }
  void push_null() {
    put_big_endian(body_, 0xffffffff, 4);
    ++count_;
    has_null_ = true;
  }
  [[nodiscard]] std::string finish() const {
    std::string out;
    put_big_endian(out, count_ == 0 ? 0 : 1, 4);
    put_big_endian(out, has_null_ ? 1 : 0, 4);
    put_big_endian(out, Wire<T>::kOid, 4);
    if (count_ == 0) return out;
    put_big_endian(out, count_, 4);
    put_big_endian(out, 1, 4);
    return out + body_;
  }

 private:
  std::string body_;
  std::uint64_t count_ = 0;
  bool has_null_ = false;
};

// The parameters of one statement, in order.
class Params {
 public:
  template <class... T>
  static Params of(const T&... values) {
    Params params;
    (params.add(values), ...);
    return params;
  }
  template <class T>
  Params& add(const T& value) {
    Wire<T>::put(values_.emplace_back(std::in_place).value(), value);
    return *this;
  }
  template <class T>
  Params& add(const std::optional<T>& value) {
    if (value) return add(*value);
    values_.emplace_back(std::nullopt);
    return *this;
  }
  template <class T>
  Params& add(const Column<T>& column) {
    values_.emplace_back(column.finish());
    return *this;
  }
  [[nodiscard]] const std::vector<std::optional<std::string>>& values() const { return values_; }

 private:
  std::vector<std::optional<std::string>> values_;
};

struct ResultDeleter {
  void operator()(pg_result* result) const;
};

// Reads the columns of one row, each by the name that its statement gives it. Their order does not matter,
// nor do columns that nobody reads. A column that the row does not have is a defect of this program: every
// reader throws CheckFailed then. Usable while its Rows are there, and not moved.
class RowReader {
 public:
  RowReader(const pg_result* result, int row, std::string_view statement)
      : result_(result), row_(row), statement_(statement) {}
  // NULL reads as T's default.
  template <class T>
  RowReader& read(std::string_view column, T& out) {
    const auto bytes = value(column);
    out = bytes ? Wire<T>::get(*bytes) : T{};
    return *this;
  }
  template <class T>
  RowReader& read(std::string_view column, std::optional<T>& out) {
    const auto bytes = value(column);
    out = bytes ? std::optional<T>(Wire<T>::get(*bytes)) : std::nullopt;
    return *this;
  }
  // bigint[] without NULL.
  RowReader& read(std::string_view column, std::vector<WorkerId>& out);
  template <class T>
  T get(std::string_view column) {
    T out{};
    read(column, out);
    return out;
  }
  // Text that `parse` knows; a CHECK constraint sees to that, so anything else reads as the default.
  template <class E>
  E get(std::string_view column, std::optional<E> (*parse)(std::string_view)) {
    return parse(value(column).value_or(std::string_view())).value_or(E{});
  }
  template <class E>
  std::optional<E> maybe(std::string_view column, std::optional<E> (*parse)(std::string_view)) {
    const auto bytes = value(column);
    return bytes ? parse(*bytes) : std::nullopt;
  }

 private:
  std::optional<std::string_view> value(std::string_view column);
  int place_of(std::string_view column);
  const pg_result* result_;
  int row_;
  std::string_view statement_;
  int next_ = 0;  // the place behind the column found last
};

class Rows {
 public:
  Rows() = default;
  explicit Rows(pg_result* result) : result_(result) {}
  [[nodiscard]] int size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] RowReader operator[](int row) const { return {result_.get(), row, statement_}; }
  [[nodiscard]] std::string command_tag() const;  // "COMMIT", "UPDATE 3"
  // The statement that these are the rows of, for messages.
  void set_statement(std::string_view name) { statement_ = name; }

 private:
  std::string statement_;
  std::unique_ptr<pg_result, ResultDeleter> result_;
};

}  // namespace drover::postgres
