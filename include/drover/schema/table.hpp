#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drover/base/json.hpp"
#include "drover/base/result.hpp"
#include "drover/schema/kinds.hpp"
#include "drover/schema/place.hpp"

// Each type has one table of its fields. From its rows a request is read, an answer is written, a stored text
// is read again, and the OpenAPI schema is made, so that these cannot disagree. Adding a field to a type is
// adding one row.
namespace drover::schema {

// One member of T in JSON. Made by field(), echoed() and shown().
template <class T>
struct Field {
  std::string_view name;
  std::string_view documentation;  // for people: a sentence or two, the unit where there is one; may be empty
  std::function<void(const Place&, const Json&, T&)> read = {};  // empty: ignored in requests
  std::function<void(const Json&, T&)> restore = {};             // a value of another type changes nothing
  std::function<Json(const T&)> write = {};
  std::function<Json(Components&)> describe = {};
  std::function<bool(const T&)> when = {};  // answers have it only if true; empty: always
  std::string_view needed = {};             // the error of a request without it; empty: optional
  bool read_only = false;

  // Makes the field required in requests. `said` is the error for one without it, after the field's name.
  Field need(std::string_view said = "is required") && {
    needed = said;
    return std::move(*this);
  }
  Field only_when(std::function<bool(const T&)> condition) && {
    when = std::move(condition);
    return std::move(*this);
  }
};

// A field of requests and answers. `member` is a pointer to it, or a function from (const) T& to a reference.
template <class T, class Member, class Kind>
Field<T> field(std::string_view name, Member member, Kind kind, std::string_view documentation = {}) {
  Field<T> out{name, documentation};
  out.read = [=](const Place& at, const Json& value, T& to) {
    kind.read(at, value, std::invoke(member, to));
  };
  out.restore = [=](const Json& value, T& to) { kind.restore(value, std::invoke(member, to)); };
  out.write = [=](const T& from) { return kind.write(std::invoke(member, from)); };
  out.describe = [=](Components& components) { return kind.describe(components); };
  return out;
}

// A field of answers: `member` may also be a function from const T& to a value.
template <class T, class Member, class Kind>
Field<T> shown(std::string_view name, Member member, Kind kind, std::string_view documentation = {}) {
  Field<T> out{name, documentation};
  out.write = [=](const T& from) { return kind.write(std::invoke(member, from)); };
  out.describe = [=](Components& components) { return kind.describe(components); };
  out.read_only = true;
  return out;
}

// A field of answers that a request may repeat, so that what GET gave can be sent back: its type must be
// right, its value is ignored.
template <class T, class Member, class Kind>
Field<T> echoed(std::string_view name, Member member, Kind kind, std::string_view documentation = {}) {
  Field<T> out = shown<T>(name, member, kind, documentation);
  out.read = [=](const Place& at, const Json& value, T& /*to*/) {
    std::decay_t<std::invoke_result_t<Member, const T&>> ignored{};
    kind.read(at, value, ignored);
  };
  return out;
}

template <class T>
class Table {
 public:
  using Value = T;
  using Fields = std::vector<Field<T>>;
  // A rule about several fields; it is asked after all of them were read.
  using Rule = std::function<void(const Place& at, const Json& given, const T& read)>;
  enum class Use {
    request,   // unknown members are refused, by name
    tolerant,  // a request of programs that may be newer than the daemon: unknown members are ignored
    answer
  };

  // `name` is that of the schema in the OpenAPI document.
  Table(std::string_view name, Use use, std::string_view documentation, Fields fields, Rule rule = {},
        Json also = Json::object())
      : name_(name),
        use_(use),
        documentation_(documentation),
        fields_(std::move(fields)),
        rule_(std::move(rule)),
        also_(std::move(also)) {}

  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] const Fields& fields() const { return fields_; }

  // Reads `body` into `into`; the fields that it lacks keep their values. `root` is the body's name within a
  // larger one ("[3]"). The error is about the first unknown member if there is one, else about the first
  // field that is wrong or missing: of a misspelt required field, people must see the misspelling.
  Status read(const Json& body, T& into, std::string_view root = {}) const {
    std::optional<Error> error;
    read(Place(error, root), body, into);
    if (error) return *error;
    return Ok{};
  }
  void read(const Place& at, const Json& body, T& into) const;
  // The parameters of a query, by name.
  Status read_query(const std::vector<std::pair<std::string, std::string>>& given, T& into) const {
    Json body = Json::object();
    for (const auto& [name, value] : given) body.set(name, value);
    std::optional<Error> error;
    read(Place(error, {}, true), body, into);
    if (error) return *error;
    return Ok{};
  }
  // Reads what this or an earlier version stored. Members that are unknown or of another type are skipped.
  // False only for what is not an object.
  bool restore(const Json& stored, T& into) const;
  [[nodiscard]] Json write(const T& from) const;
  // A reference to its schema.
  [[nodiscard]] Json describe(Components& components) const {
    return components.ref(name_, [this](Components& all) { return schema(all); });
  }

 private:
  void refuse_unknown(const Place& at, const Json::Object& body) const;
  [[nodiscard]] Json schema(Components& components) const;

  std::string_view name_;
  Use use_;
  std::string_view documentation_;
  Fields fields_;
  Rule rule_;
  Json also_;  // members of its schema beside the usual ones
};

// A value with a table of its own, as a kind. The table must outlive it.
template <class T>
struct Record {
  const Table<T>& table;

  void read(const Place& at, const Json& value, T& out) const { table.read(at, value, out); }
  bool restore(const Json& value, T& out) const { return table.restore(value, out); }
  [[nodiscard]] Json write(const T& value) const { return table.write(value); }
  [[nodiscard]] Json describe(Components& components) const { return table.describe(components); }
};
template <class T>
Record(const Table<T>&) -> Record<T>;

// The fields of `table` as fields of T, which contains a Part: in JSON they stand beside T's own.
template <class T, class Part, class Member>
std::vector<Field<T>> fields_of(const Table<Part>& table, Member member) {
  std::vector<Field<T>> out;
  for (const Field<Part>& one : table.fields()) {
    Field<T>& made = out.emplace_back();
    made.name = one.name, made.documentation = one.documentation;
    made.needed = one.needed, made.read_only = one.read_only, made.describe = one.describe;
    if (one.read)
      made.read = [=](const Place& at, const Json& value, T& to) {
        one.read(at, value, std::invoke(member, to));
      };
    if (one.restore)
      made.restore = [=](const Json& value, T& to) { one.restore(value, std::invoke(member, to)); };
    made.write = [=](const T& from) { return one.write(std::invoke(member, from)); };
    if (one.when) made.when = [=](const T& from) { return one.when(std::invoke(member, from)); };
  }
  return out;
}

// Fails for an unknown member, with its name and the names that there are.
void fail_unknown(const Place& at, std::string_view key, const std::vector<std::string_view>& known);
// The schema's usual members: `properties` with their documentation, `required`.
Json object_schema(std::string_view documentation, Json properties, Json required, bool closed);
Json documented(Json schema, std::string_view documentation);
// Whether a schema is to name this value as a member's default: null, "", [] and {} are left out.
bool worth_saying(const Json& standard);

template <class T>
void Table<T>::refuse_unknown(const Place& at, const Json::Object& body) const {
  for (const Json::Member& member : body) {
    bool known = false;
    for (const Field<T>& one : fields_) known = known || one.name == member.key;
    if (known) continue;
    std::vector<std::string_view> names;
    for (const Field<T>& one : fields_) names.push_back(one.name);
    return fail_unknown(at, member.key, names);
  }
}

template <class T>
void Table<T>::read(const Place& at, const Json& body, T& into) const {
  const Json::Object* object = body.if_object();
  if (object == nullptr) return at.wrong_type("object", body);
  if (use_ != Use::tolerant) refuse_unknown(at, *object);
  for (const Field<T>& one : fields_) {
    if (at.failed()) return;
    const Json* value = body.find(one.name);
    if (value == nullptr && !one.needed.empty()) at.member(one.name).fail(one.needed);
    if (value != nullptr && one.read) one.read(at.member(one.name), *value, into);
  }
  if (rule_ && !at.failed()) rule_(at, body, into);
}

template <class T>
bool Table<T>::restore(const Json& stored, T& into) const {
  for (const Field<T>& one : fields_) {
    const Json* value = stored.find(one.name);
    if (value != nullptr && one.restore) one.restore(*value, into);
  }
  return stored.if_object() != nullptr;
}

template <class T>
Json Table<T>::write(const T& from) const {
  Json out = Json::object();
  for (const Field<T>& one : fields_) {
    if (!one.when || one.when(from)) out.set(std::string(one.name), one.write(from));
  }
  return out;
}

template <class T>
Json Table<T>::schema(Components& components) const {
  const bool answer = use_ == Use::answer;
  Json properties = Json::object();
  Json required = Json::array();
  const T standard{};
  for (const Field<T>& one : fields_) {
    Json property = documented(one.describe(components), one.documentation);
    if (!answer && one.read_only) property.set("readOnly", true);
    const bool usual = !answer && one.needed.empty() && !one.read_only && !one.when;
    if (usual && property.find("$ref") == nullptr) {
      Json value = one.write(standard);
      if (worth_saying(value)) property.set("default", std::move(value));
    }
    properties.set(std::string(one.name), std::move(property));
    if (answer ? !one.when : !one.needed.empty()) required.push(one.name);
  }
  Json out = object_schema(documentation_, std::move(properties), std::move(required), use_ == Use::request);
  for (const Json::Member& member : *also_.if_object()) out.set(member.key, member.value);
  return out;
}

}  // namespace drover::schema
