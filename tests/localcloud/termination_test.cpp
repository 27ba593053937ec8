#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "drover/aws/ec2_cloud.hpp"

#include "cloud_fixture.hpp"

// The daemon's own client of EC2 ends many machines of a real endpoint, some of which may not be ended.
namespace drover::localcloud {
namespace {

constexpr std::int64_t kFirstCopy = 10'000'000'000'000'000;  // 17 digits, as in EC2's ids

class TerminationTest : public CloudTest {
 protected:
  // Stopped machines: ended like others, but no process each. One is launched and stopped; the local cloud
  // takes up its record, and the copies of it under other ids, from its directory.
  std::vector<std::string> stopped_machines(std::size_t count, const LocalCloudOptions& then) {
    start();
    const auto first = run_one(kIdle);
    EXPECT_TRUE(reaches(first, "running"));
    ok("StopInstances", {{"InstanceId.1", first}});
    EXPECT_TRUE(reaches(first, "stopped"));
    stop();
    const auto record = parse_json(read_text(record_of(first)));
    EXPECT_TRUE(record.ok()) << first;
    std::vector<std::string> ids{first};
    while (record.ok() && ids.size() < count) {
      const auto n = static_cast<std::int64_t>(ids.size());
      ids.push_back("i-" + std::to_string(kFirstCopy + n));
      auto copy = *record;
      copy.set("id", ids.back()).set("sequence", n + 1).set("zone", zones_.at(ids.size() % zones_.size()));
      std::filesystem::create_directories(std::filesystem::path(record_of(ids.back())).parent_path());
      std::ofstream(record_of(ids.back())) << copy.dump();
    }
    start(then);
    return ids;
  }

  void protect(const std::string& id) {
    ok("ModifyInstanceAttribute", {{"InstanceId", id}, {"DisableApiTermination.Value", "true"}});
  }

  core::CloudStatus terminate(const std::vector<std::string>& ids) {
    if (!ec2_) {
      aws::Ec2Options client;
      client.region = "us-east-1";
      client.endpoint = cloud_->endpoint();
      auto made = aws::Ec2Cloud::make(client, {http_, credentials_, clock_});
      if (!made.ok()) return core::CloudError{{}, "NoClient", made.error().message};
      ec2_ = std::move(*made);
    }
    return ec2_->terminate(ids);
  }

  // By the cloud's own account.
  std::set<std::string> not_ended() {
    std::set<std::string> out;
    const auto listed = parse_json(control("GET", "/instances").body);
    if (!listed.ok()) return {"no listing"};
    for (const auto& one : *listed->if_array()) {
      const auto state = *one.find("state")->if_string();
      if (state != "terminated" && state != "shutting-down") out.insert(*one.find("id")->if_string());
    }
    return out;
  }

  std::int64_t calls(const std::string& action) {
    const auto counts = parse_json(control("GET", "/calls").body);
    const auto* count = counts.ok() ? counts->find(action) : nullptr;
    return count == nullptr ? 0 : *count->if_int();
  }

 private:
  [[nodiscard]] std::string record_of(const std::string& id) const {
    return directory_ + "/cloud/instances/" + id + "/instance.json";
  }

  const std::vector<std::string> zones_{"us-east-1a", "us-east-1b", "us-east-1c"};
  SystemClock clock_;
  aws::StaticCredentials credentials_{{"AKIDTEST", Secret("a secret"), {}, {}}};
  std::unique_ptr<aws::Ec2Cloud> ec2_;
};

void expect_named(const core::CloudStatus& ended, const std::set<std::string>& ids) {
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().error_class, core::CloudErrorClass::protection);
  for (const auto& id : ids) {
    EXPECT_NE(ended.error().message.find(id), std::string::npos) << ended.error().message;
  }
}

// Two of them in one batch and one zone, one in another.
TEST_F(TerminationTest, ThreeProtectedOfAThousandAreReportedAndTheOthersEndedInADozenCalls) {
  const auto ids = stopped_machines(1000, options());
  const std::set kept{ids[2], ids[95], ids[900]};
  for (const auto& id : kept) protect(id);
  expect_named(terminate(ids), kept);
  EXPECT_EQ(calls("TerminateInstances"), 13);  // ten, and one for each refusal
  EXPECT_EQ(not_ended(), kept);
}

// EC2 allows for a thousand instances to be named at once, then for twenty a second.
TEST_F(TerminationTest, WhatARefusalMakesBeAskedAgainStaysWithinEc2sRate) {
  auto rated = options();
  rated.throttle = true;
  const auto ids = stopped_machines(700, rated);
  const std::set kept{ids[1], ids[350], ids[699]};
  for (const auto& id : kept) protect(id);
  expect_named(terminate(ids), kept);
  EXPECT_EQ(calls("TerminateInstances"), 10);
  EXPECT_EQ(not_ended(), kept);
}

TEST_F(TerminationTest, WhatRunsIsEndedBesideTheProtectedAndTheForgotten) {
  start();
  auto ids = run(kIdle, {{"MinCount", "6"}, {"MaxCount", "6"}});
  ASSERT_EQ(ids.size(), 6U);
  const std::set kept{ids[0], ids[4]};
  for (const auto& id : kept) protect(id);
  ids.insert(ids.begin() + 2, {"i-0123456789abcdef0", "i-0123456789abcdef1"});
  const auto ended = terminate(ids);
  // One for all that EC2 does not know, one for each of the protected, and one that ends the rest.
  EXPECT_EQ(calls("TerminateInstances"), 4);
  expect_named(ended, kept);
  EXPECT_EQ(ended.error().message.find("i-0123456789abcdef"), std::string::npos) << ended.error().message;
  EXPECT_EQ(not_ended(), kept);
  // What was refused is asked for by itself.
  ok("ModifyInstanceAttribute", {{"InstanceId", ids[0]}, {"DisableApiTermination.Value", "false"}});
  expect_named(terminate({kept.begin(), kept.end()}), {ids[6]});
  EXPECT_EQ(calls("TerminateInstances"), 6);
  EXPECT_EQ(not_ended(), std::set{ids[6]});
}

}  // namespace
}  // namespace drover::localcloud
