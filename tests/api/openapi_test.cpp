// docs/openapi.json is what the table of routes and the tables of fields say, and holds together.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>

#include <fmt/format.h>

#include "api/routes.hpp"
#include "fixture.hpp"

namespace drover::api {
namespace {

constexpr const char* kFile = DROVER_SOURCE_DIR "/docs/openapi.json";

// As people read it: a member a line.
std::string pretty(const Json& value, const std::string& indent = "") {
  const std::string inner = indent + "  ";
  std::string out;
  const auto each = [&](const std::string& text) { out += (out.empty() ? "\n" : ",\n") + inner + text; };
  if (const Json::Object* object = value.if_object(); object != nullptr && !object->empty()) {
    for (const Json::Member& member : *object)
      each(Json(member.key).dump() + ": " + pretty(member.value, inner));
    return "{" + out + "\n" + indent + "}";
  }
  if (const Json::Array* array = value.if_array(); array != nullptr && !array->empty()) {
    for (const Json& element : *array) each(pretty(element, inner));
    return "[" + out + "\n" + indent + "]";
  }
  return value.dump();
}

class OpenApi : public ApiTest {
 protected:
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
  void each_operation(
      const std::function<void(const std::string& method, const std::string& path, const Json&)>& visit) {
    for (const Json::Member& path : *document_.find("paths")->if_object()) {
      for (const Json::Member& operation : *path.value.if_object())
        visit(operation.key, path.key, operation.value);
    }
  }

  Json document_ = openapi(DROVER_VERSION);
};

TEST_F(OpenApi, TheFileIsWhatTheTablesSay) {
  const std::string text = pretty(document_) + "\n";
  if (std::getenv("DROVER_UPDATE_GOLDEN") != nullptr) std::ofstream(kFile) << text;
  EXPECT_TRUE(read_whole(kFile) == text)
      << "docs/openapi.json is stale; DROVER_UPDATE_GOLDEN=1 with this test writes it anew";
}

TEST_F(OpenApi, IsServed) {
  const Answer answer = get("/openapi.json");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json(), openapi("1.2.3"));
}

TEST_F(OpenApi, ListsExactlyTheRoutes) {
  std::set<std::string> documented;
  each_operation([&](std::string method, const std::string& path, const Json&) {
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    documented.insert(method + " " + path);
  });
  std::set<std::string> served;
  for (const auto& [method, pattern] : router.routes()) served.insert(method + " " + pattern);
  EXPECT_EQ(documented, served);
}

TEST_F(OpenApi, OperationIdsAreUniqueAndPathParametersDeclared) {
  std::set<std::string> ids;
  each_operation([&](const std::string& method, const std::string& path, const Json& operation) {
    EXPECT_TRUE(ids.insert(*operation.find("operationId")->if_string()).second) << path;
    std::set<std::string> declared;
    if (const Json* parameters = operation.find("parameters")) {
      for (const Json& parameter : *parameters->if_array()) {
        EXPECT_NE(parameter.find("description"), nullptr) << method << " " << path << parameter.dump();
        if (*parameter.find("in")->if_string() == "path")
          declared.insert("{" + *parameter.find("name")->if_string() + "}");
      }
    }
    std::set<std::string> used;
    for (const std::string_view segment : split(path, '/')) {
      if (segment.starts_with('{')) used.emplace(segment);
    }
    EXPECT_EQ(declared, used) << method << " " << path;
  });
}

TEST_F(OpenApi, EveryHeaderOfAnAnswerHasASentence) {
  for (const Route& route : routes()) {
    for (const RouteAnswer& answer : route.answers) {
      for (const std::string_view name : answer.headers)
        EXPECT_FALSE(header_documentation(name).empty()) << name;
    }
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

// Whoever may not call is refused before anything is done, whatever the body is.
TEST_F(OpenApi, RoutesOfWorkersRefuseWhoeverBringsNoToken) {
  for (const Route& route : routes()) {
    if (route.who == Who::anyone) continue;
    std::string target;
    for (const std::string_view segment : split(route.pattern.substr(1), '/'))
      target +=
          "/" + std::string(segment.starts_with('{') ? (segment == "{stream}" ? "stdout" : "1") : segment);
    EXPECT_EQ(send(std::string(route.method), target, "{}").status, 401) << target;
    if (route.who == Who::machine) continue;  // its token is no worker's
    const Answer half = send(std::string(route.method), target, "{}", {{"authorization", "Bearer 1.secret"}});
    EXPECT_EQ(half.status == 401, route.who == Who::attempt) << target << ": " << half.body;
  }
}

}  // namespace
}  // namespace drover::api
