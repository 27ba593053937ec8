#include "cloud_fixture.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <signal.h>
#include <unistd.h>

#include "drover/aws/sigv4.hpp"
#include "drover/base/text.hpp"

#include "patience.hpp"

namespace drover::localcloud {

bool eventually(const std::function<bool()>& condition) {
  return drover::eventually(condition);
}

std::vector<std::string> values_of(const std::string& xml, const std::string& name) {
  std::vector<std::string> out;
  const auto open = "<" + name + ">";
  const auto close = "</" + name + ">";
  for (auto at = xml.find(open); at != std::string::npos; at = xml.find(open, at)) {
    at += open.size();
    const auto end = xml.find(close, at);
    if (end == std::string::npos) break;
    out.push_back(xml.substr(at, end - at));
  }
  return out;
}

std::string value_of(const std::string& xml, const std::string& name) {
  const auto all = values_of(xml, name);
  return all.empty() ? std::string() : all.front();
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

bool process_exists(int pid) {
  return kill(pid, 0) == 0;
}

void CloudTest::SetUp() {
  auto name = (std::filesystem::temp_directory_path() / "drover-localcloud-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  directory_ = name;
}

void CloudTest::TearDown() {
  if (!cloud_) start();
  const auto ended = cloud_->terminate_all(Seconds(20));
  EXPECT_TRUE(ended.ok()) << ended.error().message;
  cloud_.reset();
  std::filesystem::remove_all(directory_);
}

LocalCloudOptions CloudTest::options() const {
  LocalCloudOptions out;
  out.data_dir = directory_ + "/cloud";
  out.access_key = "AKIDTEST";
  out.secret_key = Secret("a secret");
  out.pending_delay = Millis(20);
  out.shutdown_grace = Millis(300);
  out.throttle = false;
  return out;
}

void CloudTest::start(const LocalCloudOptions& options) {
  cloud_ = std::make_unique<LocalCloud>(options);
  const auto started = cloud_->start();
  ASSERT_TRUE(started.ok()) << started.error().message;
}

Result<ports::HttpReply> CloudTest::send(const std::string& body, const Signing& signing) {
  ports::HttpRequest request;
  request.method = "POST";
  request.url = cloud_->endpoint() + "/";
  request.body = body;
  request.headers = {{"Host", "127.0.0.1:" + std::to_string(cloud_->port())},
                     {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  aws::RequestParts parts;
  parts.headers = request.headers;
  parts.body = body;
  const auto now = std::chrono::floor<Micros>(std::chrono::system_clock::now()) + signing.clock_offset;
  const auto added = aws::sign(parts, {signing.access_key, Secret(signing.secret), {}, {}}, now,
                               signing.region, signing.service);
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  return http_.send(request);
}

Result<ports::HttpReply> CloudTest::get(const std::string& query, const Signing& signing) {
  ports::HttpRequest request;
  request.method = "GET";
  request.url = cloud_->endpoint() + "/?" + query;
  request.headers = {{"Host", "127.0.0.1:" + std::to_string(cloud_->port())}};
  aws::RequestParts parts;
  parts.method = "GET";
  parts.query = query;
  parts.headers = request.headers;
  const auto now = std::chrono::floor<Micros>(std::chrono::system_clock::now()) + signing.clock_offset;
  const auto added = aws::sign(parts, {signing.access_key, Secret(signing.secret), {}, {}}, now,
                               signing.region, signing.service);
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  return http_.send(request);
}

namespace {

std::string encode(const std::string& action, const Form& form) {
  auto body = "Action=" + percent_encode(action) + "&Version=2016-11-15";
  for (const auto& [name, value] : form) body += "&" + percent_encode(name) + "=" + percent_encode(value);
  return body;
}

}  // namespace

ports::HttpReply CloudTest::call(const std::string& action, const Form& form) {
  auto reply = send(encode(action, form), {});
  EXPECT_TRUE(reply.ok()) << action << ": " << (reply.ok() ? "" : reply.error().message);
  return reply.ok() ? *reply : ports::HttpReply{};
}

std::string CloudTest::ok(const std::string& action, const Form& form) {
  auto reply = call(action, form);
  EXPECT_EQ(reply.status, 200) << reply.body;
  return reply.body;
}

std::string CloudTest::error(const std::string& action, const Form& form) {
  const auto reply = call(action, form);
  return std::to_string(reply.status) + " " + value_of(reply.body, "Code");
}

std::vector<std::string> CloudTest::run(const std::string& script, const Form& more) {
  Form form{{"ImageId", "ami-1"},
            {"MinCount", "1"},
            {"MaxCount", "1"},
            {"UserData", base64_encode(script)},
            {"InstanceInitiatedShutdownBehavior", "terminate"}};
  for (const auto& [name, value] : more) {
    std::erase_if(form, [&](const auto& item) { return item.first == name; });
    form.emplace_back(name, value);
  }
  auto ids = values_of(ok("RunInstances", form), "instanceId");
  EXPECT_FALSE(ids.empty());
  if (ids.empty()) ids.emplace_back("i-00000000");
  return ids;
}

ports::HttpReply CloudTest::control(const std::string& method, const std::string& path,
                                    const std::string& body) {
  ports::HttpRequest request;
  request.method = method;
  request.url = cloud_->control() + path;
  request.body = body;
  if (!body.empty()) request.headers = {{"Content-Type", "application/json"}};
  auto reply = http_.send(request);
  EXPECT_TRUE(reply.ok()) << path;
  return reply.ok() ? *reply : ports::HttpReply{};
}

Json CloudTest::instance(const std::string& id) {
  auto json = parse_json(control("GET", "/instances/" + id).body);
  return json.ok() ? *json : Json();
}

std::string CloudTest::text(const std::string& id, const std::string& member) {
  const auto json = instance(id);
  const auto* value = json.find(member);
  return value == nullptr || value->if_string() == nullptr ? std::string() : *value->if_string();
}

bool CloudTest::reaches(const std::string& id, const std::string& wanted) {
  return eventually([&] { return state(id) == wanted; });
}

std::string CloudTest::file(const std::string& id, const std::string& name) {
  return read_text(directory_ + "/cloud/instances/" + id + "/root/" + name);
}

ports::HttpReply CloudTest::imds(const std::string& id, const std::string& path) {
  const auto base = text(id, "imds");
  ports::HttpRequest request;
  request.method = "PUT";
  request.url = base + "/latest/api/token";
  request.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "60"}};
  const auto token = http_.send(request);
  EXPECT_TRUE(token.ok()) << base;
  if (!token.ok()) return {};
  EXPECT_EQ(token->status, 200);
  request.method = "GET";
  request.url = base + path;
  request.headers = {{"X-aws-ec2-metadata-token", token->body}};
  const auto reply = http_.send(request);
  EXPECT_TRUE(reply.ok()) << path;
  return reply.ok() ? *reply : ports::HttpReply{};
}

}  // namespace drover::localcloud
