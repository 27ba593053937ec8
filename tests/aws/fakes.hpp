#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "drover/aws/credentials.hpp"
#include "drover/base/text.hpp"
#include "drover/ports/http_client.hpp"

namespace drover::aws::test {

// 2026-01-02T03:04:05Z, the time of the golden vectors.
inline WallTime golden_time() {
  return *parse_rfc3339("2026-01-02T03:04:05Z");
}

class FakeClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return wall_; }
  [[nodiscard]] SteadyTime steady() const override { return steady_; }
  void advance(Micros by) {
    wall_ += by;
    steady_ += by;
  }
  void set_wall(WallTime time) { wall_ = time; }

 private:
  WallTime wall_ = golden_time();
  SteadyTime steady_{std::chrono::hours(1)};
};

inline ports::HttpReply reply(int status, std::string body, Headers headers = {}) {
  return {status, std::move(headers), std::move(body)};
}

// Answers from a script, then from `otherwise`; keeps what was asked.
class FakeHttp final : public ports::HttpClient {
 public:
  using Answer = Result<ports::HttpReply>;

  void then(Answer answer) { script_.push_back(std::move(answer)); }
  void otherwise(std::function<Answer(const ports::HttpRequest&)> answer) { otherwise_ = std::move(answer); }

  Answer send(const ports::HttpRequest& request) override {
    requests.push_back(request);
    if (!script_.empty()) {
      auto answer = std::move(script_.front());
      script_.pop_front();
      return answer;
    }
    if (otherwise_) return otherwise_(request);
    return Error{Errc::unavailable, "the script is at its end"};
  }
  [[nodiscard]] std::size_t left() const { return script_.size(); }

  std::vector<ports::HttpRequest> requests;

 private:
  std::deque<Answer> script_;
  std::function<Answer(const ports::HttpRequest&)> otherwise_;
};

inline std::string header_of(const ports::HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (iequals(key, name)) return value;
  }
  return {};
}

inline Environment environment(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto at = values.find(name);
    return at == values.end() ? std::nullopt : std::optional(at->second);
  };
}

inline Credentials golden_credentials(std::string session_token = {}) {
  return {"AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), Secret(std::move(session_token)),
          std::nullopt};
}

}  // namespace drover::aws::test
