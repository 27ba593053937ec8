// What no route declares is refused by all of them, and what docs/openapi.json declares by none.
#include <algorithm>
#include <set>

#include "fixture.hpp"

namespace drover::api {
namespace {

// Scale's dialect, and what probes ask.
bool takes_anything(const std::string& pattern) {
  return pattern == "/scheduler" || pattern == "/metrics" || pattern == "/healthz" || pattern == "/readyz";
}

class Input : public ApiTest {
 protected:
  Input() {
    add_job(17);
    store.engine.checked = ports::OpenAttempt{};
    Result<Json> parsed = parse_json(read_whole(DROVER_SOURCE_DIR "/docs/openapi.json"));
    EXPECT_TRUE(parsed.ok());
    if (parsed.ok()) document_ = std::move(*parsed);
  }
  // The route's own path, with something in the place of each name.
  static std::string target(const std::string& pattern) {
    std::string out;
    for (const std::string_view part : split(std::string_view(pattern).substr(1), '/')) {
      const bool name = part.starts_with('{');
      out += "/" + (!name ? std::string(part) : part == "{stream}" ? "stdout" : std::string("17"));
    }
    return out;
  }
  [[nodiscard]] const Json& operation(const std::string& method, const std::string& pattern) const {
    return *document_.find("paths")->find(pattern)->find(lower(method));
  }
  [[nodiscard]] std::set<std::string> documented_parameters(const std::string& method,
                                                            const std::string& pattern) const {
    std::set<std::string> names;
    const Json* list = operation(method, pattern).find("parameters");
    if (list == nullptr) return names;
    for (const Json& entry : *list->if_array()) {
      const Json* parameter = &entry;
      if (const Json* reference = entry.find("$ref")) {
        const std::string_view path = *reference->if_string();
        parameter = document_.find("components")->find("parameters")->find(path.substr(path.rfind('/') + 1));
      }
      if (*parameter->find("in")->if_string() == "query") names.insert(*parameter->find("name")->if_string());
    }
    return names;
  }
  // Not a number, whatever the parameter: refused for its value by name, or taken.
  static bool unknown_parameter(const Answer& answer) {
    return answer.status == 400 && answer.body.find("is not a parameter") != std::string::npos;
  }
  [[nodiscard]] bool untouched() const {
    const EngineScript& script = store.engine;
    return script.applied.empty() && script.acts.empty() && script.submitted.empty() &&
           script.reports.empty() && script.registrations.empty() && script.claims.empty() &&
           script.heartbeats.empty() && script.artifacts.empty();
  }

  Json document_;
};

TEST_F(Input, ParametersAreThoseOfTheDocument) {
  for (const auto& [method, pattern] : router.routes()) {
    if (takes_anything(pattern)) continue;
    const Answer refused = send(method, target(pattern) + "?dry_run=true");
    EXPECT_TRUE(unknown_parameter(refused)) << method << " " << pattern << ": " << refused.body;
    EXPECT_EQ(refused.at("field"), "\"dry_run\"") << method << " " << pattern;
    for (const std::string& name : documented_parameters(method, pattern)) {
      EXPECT_FALSE(unknown_parameter(send(method, target(pattern) + "?" + name + "=x")))
          << method << " " << pattern << "?" << name;
    }
  }
  EXPECT_TRUE(untouched());
}

TEST_F(Input, BodiesAreThoseOfTheDocument) {
  for (const auto& [method, pattern] : router.routes()) {
    if (takes_anything(pattern)) continue;
    const bool documented = operation(method, pattern).find("requestBody") != nullptr;
    const Answer answer = send(method, target(pattern), R"({"dry_run":true})");
    const bool refused = answer.status == 400 && answer.body.find("takes no body") != std::string::npos;
    EXPECT_EQ(refused, !documented) << method << " " << pattern << ": " << answer.body;
  }
  EXPECT_TRUE(untouched());
}

TEST_F(Input, NoBodyAndAnEmptyObjectAreTheSame) {
  for (const auto& [method, pattern] : router.routes()) {
    if (operation(method, pattern).find("requestBody") != nullptr) continue;
    for (const char* body : {"", "{}"}) {
      EXPECT_NE(send(method, target(pattern), body).status, 400) << method << " " << pattern << " " << body;
    }
  }
}

TEST_F(Input, DialectsAndProbesPassOverWhatTheyDoNotKnow) {
  for (const char* path : {"/healthz", "/readyz", "/metrics", "/scheduler/"}) {
    EXPECT_EQ(send("GET", std::string(path) + "?nocache=1&x", "ping").status, 200) << path;
  }
}

TEST_F(Input, WrongMethodsAreToldTheRightOnes) {
  const Answer answer = send("DELETE", "/jobs/17");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.header("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(answer.at("detail"), "\"This path does not take DELETE; it takes GET, HEAD.\"");
}

TEST_F(Input, ProblemsEndWithANewline) {
  for (const Answer& answer : {get("/none"), send("DELETE", "/jobs"), get("/jobs?x=1"), get("/jobs/99"),
                               send("POST", "/jobs", "{"), send("PATCH", "/config", "[]")}) {
    EXPECT_GE(answer.status, 400);
    EXPECT_EQ(answer.body.back(), '\n') << answer.body;
  }
}

TEST_F(Input, WrongWordsAreToldTheRightOnes) {
  EXPECT_NE(get("/jobs?state=canceled").body.find("must be one of blocked, queued"), std::string::npos);
  EXPECT_NE(get("/jobs?state=canceled").body.find("did you mean cancelled?"), std::string::npos);
  EXPECT_NE(get("/workers?state=idle").body.find("must be one of starting, active"), std::string::npos);
  const std::string pool = R"({"name":"p","market":"spott","image":"a","instance_types":["t"]})";
  EXPECT_NE(send("POST", "/pools", pool)
                .body.find("must be one of spot, on_demand, not \\\"spott\\\"; did you mean spot?"),
            std::string::npos);
  EXPECT_NE(send("PATCH", "/config", R"({"lease":5})").body.find("did you mean lease_s?"), std::string::npos);
  const Answer typo = send("POST", "/jobs", R"([{"task":{"comand":"true"}}])");
  EXPECT_EQ(typo.at("field"), "\"[0].task.comand\"");
  EXPECT_NE(typo.body.find("did you mean command?"), std::string::npos) << typo.body;
}

}  // namespace
}  // namespace drover::api
