// The schemas of docs/openapi.json and the parsers agree in both directions: what a schema takes is taken,
// up to its last bound, and what lies beyond is refused.
#include <functional>
#include <map>
#include <set>

#include "api/bodies.hpp"
#include "fixture.hpp"

namespace drover::api {
namespace {

// Whether a parser takes this value in the place in question; the text says why not.
using Parser = std::function<Status(const Json&)>;

Json text(const std::string& what) {
  return Json(what);
}

std::string repeated(const std::string& piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

// Words for each pattern in the document: some that match and some that do not.
const std::map<std::string, std::pair<std::vector<std::string>, std::vector<std::string>>>& patterns() {
  static const std::map<std::string, std::pair<std::vector<std::string>, std::vector<std::string>>> table{
      {R"(^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$)",
       {{"a", "A.b_c-9", "...", repeated("q", 128)}, {"", ".", "..", "a b", "a/b", "é", repeated("q", 129)}}},
      {R"(^[^\u0000-\u001f\u007f]*$)", {{"", "é ü", "\"'\\"}, {"\n", "a\tb", "\x7f"}}},
      {R"(^$|^(?=.*[1-9])(?=.{1,16}$)[0-9]*\.?[0-9]*$)",
       {{"", "1", "0.05", ".5", "5.", "1234567890.12345"},
        {"0", ".", "0.0", "1.2.3", "x", "-1", "1e3", "12345678901234567"}}},
      {R"(^[A-Za-z0-9-]{1,64}$)", {{"a", "A-9", repeated("n", 64)}, {"", "a_b", "é", repeated("n", 65)}}},
      {R"(^[A-Za-z_][A-Za-z0-9_]*$)", {{"A", "_9"}, {"", "9", "a-b", "a b"}}},
  };
  return table;
}

class SchemaTest : public ApiTest {
 protected:
  SchemaTest() {
    Result<Json> parsed = parse_json(read_whole(DROVER_SOURCE_DIR "/docs/openapi.json"));
    EXPECT_TRUE(parsed.ok());
    if (parsed.ok()) schemas_ = *parsed->find("components")->find("schemas");
  }
  [[nodiscard]] const Json& named(std::string_view name) const { return *schemas_.find(name); }
  [[nodiscard]] const Json& resolved(const Json& schema) const {
    const Json* reference = schema.find("$ref");
    if (reference == nullptr) return schema;
    const std::string_view path = *reference->if_string();
    return named(path.substr(path.rfind('/') + 1));
  }
  static std::optional<std::size_t> count(const Json& schema, std::string_view key) {
    const Json* found = schema.find(key);
    return found == nullptr ? std::nullopt : std::optional(static_cast<std::size_t>(*found->if_int()));
  }

  // One value, by what the schema says of it.
  void expect(bool takes, const Parser& parser, const Json& value, const std::string& where) {
    const Status status = parser(value);
    const std::string shown = value.dump().substr(0, 80);
    EXPECT_EQ(status.ok(), takes) << where << " = " << shown
                                  << (status.ok() ? "" : ": " + status.error().message);
  }

  static std::set<std::string> types_of(const Json& schema) {
    const Json* type = schema.find("type");
    std::set<std::string> types;
    if (const std::string* one = type->if_string()) return {*one};
    for (const Json& each : *type->if_array()) types.insert(*each.if_string());
    return types;
  }
  void check_types(const Json& schema, const Parser& parser, const std::string& where) {
    const std::set<std::string> types = types_of(schema);
    const std::pair<const char*, Json> others[] = {{"null", Json()},         {"boolean", Json(true)},
                                                   {"integer", Json(1)},     {"string", text("\x01")},
                                                   {"array", Json::array()}, {"object", Json::object()}};
    for (const auto& [type, value] : others) {
      if (type == std::string("integer") && types.contains("number")) continue;
      if (!types.contains(type)) expect(false, parser, value, where + " of type " + type);
    }
    if (types.contains("null")) expect(true, parser, Json(), where);
    if (!types.contains("number")) expect(false, parser, Json(1.5), where);
  }
  void check_numbers(const Json& schema, const Parser& parser, const std::string& where) {
    const bool integer = types_of(schema).contains("integer");
    double storage = 0;
    const auto bound = [&](const char* key) {
      const Json* found = schema.find(key);
      return found == nullptr ? std::optional<double>() : std::optional(*found->if_number(storage));
    };
    const double step = integer ? 1 : 0.0005;
    const auto number = [&](double value) {
      return integer ? Json(static_cast<std::int64_t>(value)) : Json(value);
    };
    if (!bound("maximum")) return expect(true, parser, Json(INT64_MAX), where);
    expect(true, parser, number(*bound("maximum")), where);
    expect(false, parser, number(*bound("maximum") + step), where);
    if (integer) expect(true, parser, Json(Json::Fraction{*bound("maximum"), {}}), where + " as a fraction");
    if (const auto least = bound("minimum")) {
      expect(true, parser, number(*least), where);
      expect(false, parser, number(*least - step), where);
    } else {
      expect(false, parser, number(*bound("exclusiveMinimum")), where);
      expect(true, parser, number(*bound("exclusiveMinimum") + step), where);
    }
  }
  void check_strings(const Json& schema, const Parser& parser, const std::string& where) {
    if (const Json* words = schema.find("enum")) {
      for (const Json& word : *words->if_array()) expect(true, parser, word, where);
      return expect(false, parser, text("no such word"), where);
    }
    if (const Json* pattern = schema.find("pattern")) {
      ASSERT_TRUE(patterns().contains(*pattern->if_string())) << *pattern->if_string();
      const auto& [good, bad] = patterns().at(*pattern->if_string());
      for (const std::string& word : good) {
        if (word.size() >= count(schema, "minLength").value_or(0)) expect(true, parser, text(word), where);
      }
      for (const std::string& word : bad) expect(false, parser, text(word), where);
    }
    if (schema.find("pattern") == nullptr && schema.find("format") == nullptr) {
      const std::size_t most =
          count(schema, "maxLength").value_or(count(schema, "x-maxBytes").value_or(1000));
      expect(true, parser, text(repeated("\n", std::min<std::size_t>(most, 1000))), where);
    }
    if (schema.find("format") != nullptr) {
      expect(true, parser, text("2030-01-02T03:04:05Z"), where);
      expect(true, parser, text("2030-01-02t03:04:05.123456789+01:00"), where);
      expect(false, parser, text("2030-01-02"), where);
    }
    if (const auto least = count(schema, "minLength")) {
      expect(*least == 0, parser, text(""), where);
      expect(true, parser, text(repeated("é", *least)), where);
    }
    if (const auto most = count(schema, "maxLength")) {
      expect(true, parser, text(repeated("é", *most)), where);
      expect(true, parser, text(repeated("\xF0\x9F\x90\x91", *most)), where);
      expect(false, parser, text(repeated("x", *most + 1)), where);
    }
    if (const auto most = count(schema, "x-maxBytes")) {
      expect(true, parser, text(repeated("x", *most)), where);
      expect(true, parser, text(repeated("é", *most / 2)), where);
      expect(false, parser, text(repeated("é", *most / 2 + 1)), where);
    }
  }
  void check_array(const Json& schema, const Parser& parser, const std::string& where) {
    const Parser item = [&](const Json& value) { return parser(Json::array().push(value)); };
    check(*schema.find("items"), item, where + "[]");
    const bool objects = types_of(resolved(*schema.find("items"))).contains("object");
    const Json one = Json::object().set("job", 1).set("attempt", 1).set("token", "tok");
    const auto list = [&](std::size_t size) {
      Json out = Json::array();
      for (std::size_t i = 0; i < size; ++i) out.push(objects ? one : Json("w" + std::to_string(i)));
      return out;
    };
    if (const auto least = count(schema, "minItems")) expect(false, parser, list(*least - 1), where);
    if (const auto most = count(schema, "maxItems")) {
      expect(true, parser, list(*most), where);
      expect(false, parser, list(*most + 1), where);
    } else {
      expect(true, parser, list(1000), where);
    }
  }
  // A map from names to texts.
  void check_map(const Json& schema, const Parser& parser, const std::string& where) {
    const auto member = [](const std::string& key, const Json& value) {
      return Json::object().set(key, value);
    };
    check(
        *schema.find("additionalProperties"), [&](const Json& value) { return parser(member("KEY", value)); },
        where + ".KEY");
    check_strings(
        *schema.find("propertyNames"), [&](const Json& key) { return parser(member(*key.if_string(), "v")); },
        where + "'s names");
    const auto most = count(schema, "maxProperties");
    if (!most) return;
    Json many = Json::object();
    for (std::size_t i = 0; i < *most; ++i) many.set("K" + std::to_string(i), "v");
    expect(true, parser, many, where);
    expect(false, parser, many.set("ONE_MORE", "v"), where);
  }
  // `rest` is what an object needs beside the member that is tried.
  void check_object(const Json& schema, const Parser& parser, const std::string& where,
                    const std::function<Json(const std::string&)>& rest) {
    // Workers of other versions may say more.
    const bool strict = schema.find("additionalProperties") != nullptr;
    expect(!strict, parser, rest("").set("no_such_member", 1), where);
    for (const Json::Member& member : *schema.find("properties")->if_object()) {
      const Parser one = [&](const Json& value) { return parser(rest(member.key).set(member.key, value)); };
      check(member.value, one, where + "." + member.key);
    }
  }
  void check(const Json& unresolved, const Parser& parser, const std::string& where) {
    const Json& schema = resolved(unresolved);
    check_types(schema, parser, where);
    const std::set<std::string> types = types_of(schema);
    if (types.contains("integer") || types.contains("number")) check_numbers(schema, parser, where);
    if (types.contains("string")) check_strings(schema, parser, where);
    if (types.contains("array")) check_array(schema, parser, where);
    if (!types.contains("object")) return;
    if (schema.find("properties") == nullptr) return check_map(schema, parser, where);
    check_object(schema, parser, where, [&](const std::string& member) {
      Json rest = Json::object();
      if (&schema == &named("Task") && member != "command" && member != "args") rest.set("command", "true");
      if (where == "Heartbeat.attempts[]") rest.set("job", 1).set("attempt", 1).set("token", "tok");
      return rest;
    });
  }

  Json schemas_;
};

Status status_of(const auto& result) {
  if (!result.ok()) return result.error();
  return Ok{};
}

TEST_F(SchemaTest, OfJobs) {
  const Parser parser = [](const Json& job) { return status_of(parse_jobs(job)); };
  check_object(named("JobSpec"), parser, "job", [](const std::string& member) {
    Json job = Json::object();
    if (member != "task") job.set("task", Json::object().set("command", "true"));
    return job;
  });
  expect(false, parser, Json::object(), "job without a task");
}

TEST_F(SchemaTest, OfPools) {
  const Parser parser = [](const Json& pool) { return status_of(parse_pool(pool, {})); };
  check_object(named("PoolSpec"), parser, "pool", [](const std::string& member) {
    Json pool = Json::object();
    pool.set("name", "p").set("provider", "none").set("image", "ami-1");
    pool.set("instance_types", Json::array().push("t"));
    if (member != "max") pool.set("max", 100'000);
    return pool;
  });
}

// What workers send: asked through the door, since the parsers are the handlers'.
TEST_F(SchemaTest, OfWorkers) {
  const struct {
    const char* schema;
    const char* path;
    Json rest;
  } bodies[] = {
      {"Registration", "/workers/register", Json::object().set("instance_id", "i-1").set("nonce", "n")},
      {"ClaimRequest", "/workers/7/claim", Json::object().set("nonce", "n")},
      {"Heartbeat", "/workers/7/heartbeat", Json::object().set("attempts", Json::array())},
      {"Finish", "/jobs/17/attempts/1/finish", Json::object().set("outcome", "failure")},
  };
  for (const auto& body : bodies) {
    const Parser parser = [&](const Json& json) -> Status {
      const Answer answer = send("POST", body.path, json.dump(),
                                 {{"authorization", "Bearer 7.secret"}, {"x-drover-attempt-token", "tok"}});
      if (answer.status == 400) return invalid({}, answer.body);
      EXPECT_EQ(answer.status, 200) << body.path << ": " << answer.body;
      return Ok{};
    };
    check_object(named(body.schema), parser, body.schema, [&](const std::string&) { return body.rest; });
  }
}

TEST_F(SchemaTest, OfTunables) {
  for (const Json::Member& member : *named("Tunables").find("properties")->if_object()) {
    core::Tunables tunables;
    const Parser parser = [&](const Json& value) {
      return core::set_tunable(tunables, member.key, value.dump());
    };
    check(member.value, parser, member.key);
  }
}

}  // namespace
}  // namespace drover::api
