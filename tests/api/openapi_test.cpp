// docs/openapi.json says what is served: every route, and every member of the bodies that have a renderer or
// a parser.
#include <algorithm>
#include <functional>
#include <set>

#include "api/bodies.hpp"

#include "fixture.hpp"

namespace drover::api {
namespace {

class OpenApi : public ApiTest {
 protected:
  OpenApi() {
    Result<Json> parsed = parse_json(read_whole(DROVER_SOURCE_DIR "/docs/openapi.json"));
    EXPECT_TRUE(parsed.ok()) << parsed.error().message;
    if (parsed.ok()) document_ = std::move(*parsed);
  }
  const Json& schema(std::string_view name) {
    const Json* found = document_.find("components")->find("schemas")->find(name);
    EXPECT_NE(found, nullptr) << name;
    return *found;
  }
  // What a "$ref" stands for, or the value itself.
  const Json& resolved(const Json& value) {
    const Json* reference = value.find("$ref");
    if (reference == nullptr) return value;
    const Json* found = &document_;
    for (const std::string_view key : split(std::string_view(*reference->if_string()).substr(2), '/')) {
      const Json* next = found->find(key);
      EXPECT_NE(next, nullptr) << *reference->if_string();
      if (next == nullptr) return value;
      found = next;
    }
    return *found;
  }
  std::set<std::string> properties(std::string_view name) { return names(*schema(name).find("properties")); }
  static std::set<std::string> names(const Json& object) {
    std::set<std::string> out;
    for (const Json::Member& member : *object.if_object()) out.insert(member.key);
    return out;
  }

  Json document_;
};

TEST_F(OpenApi, ListsExactlyTheRoutes) {
  std::set<std::string> documented;
  for (const Json::Member& path : *document_.find("paths")->if_object()) {
    for (const Json::Member& operation : *path.value.if_object()) {
      std::string method = operation.key;
      std::transform(method.begin(), method.end(), method.begin(),
                     [](char c) { return static_cast<char>(c - 'a' + 'A'); });
      documented.insert(method + " " + path.key);
    }
  }
  std::set<std::string> served;
  for (const auto& [method, pattern] : router.routes()) served.insert(method + " " + pattern);
  EXPECT_EQ(documented, served);
}

TEST_F(OpenApi, OperationIdsAreUniqueAndPathParametersDeclared) {
  std::set<std::string> ids;
  for (const Json::Member& path : *document_.find("paths")->if_object()) {
    for (const Json::Member& operation : *path.value.if_object()) {
      EXPECT_TRUE(ids.insert(*operation.value.find("operationId")->if_string()).second) << path.key;
      std::set<std::string> declared;
      if (const Json* parameters = operation.value.find("parameters")) {
        for (const Json& parameter : *parameters->if_array()) {
          const Json& whole = resolved(parameter);
          if (*whole.find("in")->if_string() == "path")
            declared.insert("{" + *whole.find("name")->if_string() + "}");
        }
      }
      std::set<std::string> used;
      for (const std::string_view segment : split(path.key, '/')) {
        if (segment.starts_with('{')) used.emplace(segment);
      }
      EXPECT_EQ(declared, used) << operation.key << " " << path.key;
    }
  }
}

TEST_F(OpenApi, AnswersHaveTheDocumentedMembers) {
  EXPECT_EQ(properties("Job"), names(job_table().write({})));
  EXPECT_EQ(properties("Attempt"), names(attempt_table().write({})));
  EXPECT_EQ(properties("Artifact"), names(artifact_table().write({})));
  EXPECT_EQ(properties("Worker"), names(worker_table().write({})));
  EXPECT_EQ(properties("Pool"), names(pool_table().write({})));
  EXPECT_EQ(properties("Config"), names(tunables_table().write({})));
  EXPECT_EQ(properties("Registered"), names(registered_json({}, "t")));
  EXPECT_EQ(properties("Claim"), names(claim_json({})));
  EXPECT_EQ(properties("HeartbeatAnswer"), names(heartbeat_json({})));
  EXPECT_EQ(properties("Reported"), names(report_json({})));
  add_job(17);
  EXPECT_EQ(properties("Explanation"), names(get("/jobs/17/explain").json()));
  EXPECT_EQ(properties("JobChange"), names(send("POST", "/jobs/17/hold").json()));
  EXPECT_EQ(properties("Status"), names(get("/status").json()));
}

TEST_F(OpenApi, SettingsHaveTheirBounds) {
  for (const core::TunableInfo& info : core::tunable_table()) {
    const Json* property = schema("Config").find("properties")->find(info.key);
    ASSERT_NE(property, nullptr) << info.key;
    double storage = 0;
    EXPECT_EQ(*property->find("type")->if_string(), info.type) << info.key;
    EXPECT_EQ(*property->find("minimum")->if_number(storage), info.min) << info.key;
    EXPECT_EQ(*property->find("maximum")->if_number(storage), info.max) << info.key;
  }
}

// A documented member must be known to the parser: it may be refused for its value, never as unknown.
TEST_F(OpenApi, RequestsTakeTheDocumentedMembers) {
  const auto known = [](const Error& error) {
    return error.message.find("not a known member") == std::string::npos;
  };
  for (const std::string& name : properties("JobSpec")) {
    Json job = Json::object();
    job.set("task", Json::object().set("command", "true"));
    job.set(name, Json::array().push(1));
    const auto spec = parse_job_draft(job, "");
    ASSERT_FALSE(spec.ok()) << name;
    EXPECT_EQ(spec.error().field, name);
    EXPECT_TRUE(known(spec.error())) << name;
  }
  for (const std::string& name : properties("PoolSpec")) {
    Json pool = Json::object();
    pool.set("name", "p").set("provider", "none").set(name, true);
    const auto spec = parse_pool(pool, {});
    ASSERT_FALSE(spec.ok()) << name;
    EXPECT_EQ(spec.error().field, name);
    EXPECT_TRUE(known(spec.error())) << name;
  }
}

TEST_F(OpenApi, ReferencesResolve) {
  int references = 0;
  const std::function<void(const Json&)> walk = [&](const Json& value) {
    if (value.find("$ref") != nullptr) {
      EXPECT_NE(&resolved(value), &value);
      ++references;
    }
    if (const Json::Object* object = value.if_object()) {
      for (const Json::Member& member : *object) walk(member.value);
    }
    if (const Json::Array* array = value.if_array()) {
      for (const Json& element : *array) walk(element);
    }
  };
  walk(document_);
  EXPECT_GT(references, 100);
}

}  // namespace
}  // namespace drover::api
