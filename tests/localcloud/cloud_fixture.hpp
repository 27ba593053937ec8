#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "drover/base/json.hpp"
#include "drover/localcloud/local_cloud.hpp"
#include "drover/net/curl_client.hpp"

namespace drover::localcloud {

// User data of a machine that does nothing.
inline constexpr const char* kIdle = "#!/bin/sh\nexec sleep 1000\n";

using Form = std::vector<std::pair<std::string, std::string>>;

// Polls until `condition` holds; false after ten seconds.
bool eventually(const std::function<bool()>& condition);
// The texts of every <name>…</name>, in order.
std::vector<std::string> values_of(const std::string& xml, const std::string& name);
// The first, or "".
std::string value_of(const std::string& xml, const std::string& name);
std::string read_text(const std::string& path);
bool process_exists(int pid);

struct Signing {
  std::string access_key = "AKIDTEST";
  std::string secret = "a secret";
  std::string region = "us-east-1";
  std::string service = "ec2";
  Seconds clock_offset{0};
};

// A local cloud in a directory of its own, called by real HTTP with real signatures.
class CloudTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  [[nodiscard]] LocalCloudOptions options() const;
  void start(const LocalCloudOptions& options);
  void start() { start(options()); }
  // As if its process had ended; instances go on.
  void stop() { cloud_.reset(); }

  Result<ports::HttpReply> send(const std::string& body, const Signing& signing);
  // The parameters in the query, signed in a header.
  Result<ports::HttpReply> get(const std::string& query, const Signing& signing);
  // Signed and answered, whatever the status.
  ports::HttpReply call(const std::string& action, const Form& form = {});
  // The body of a 200.
  std::string ok(const std::string& action, const Form& form = {});
  // "status code"
  std::string error(const std::string& action, const Form& form = {});
  // Instance ids of one RunInstances call.
  std::vector<std::string> run(const std::string& script, const Form& more = {});
  std::string run_one(const std::string& script, const Form& more = {}) { return run(script, more).at(0); }

  ports::HttpReply control(const std::string& method, const std::string& path, const std::string& body = {});
  Json instance(const std::string& id);
  std::string text(const std::string& id, const std::string& member);
  std::string state(const std::string& id) { return text(id, "state"); }
  bool reaches(const std::string& id, const std::string& wanted);
  // A file that the instance's script writes into its working directory; "" until it is there.
  std::string file(const std::string& id, const std::string& name);
  ports::HttpReply imds(const std::string& id, const std::string& path);

  std::string directory_;
  std::unique_ptr<LocalCloud> cloud_;
  net::CurlHttpClient http_;
};

}  // namespace drover::localcloud
