#include "drover/aws/ec2_xml.hpp"

#include <algorithm>

#include "drover/base/text.hpp"

#include "xml_reader.hpp"

namespace drover::aws {
namespace {

Error wrong_reply(const std::string& reason) {
  return invalid({}, "the reply is not EC2's: " + reason);
}

core::InstanceState state_of_code(std::int64_t code) {
  switch (code & 0xff) {  // the high byte is EC2's own
    case 0:
      return core::InstanceState::pending;
    case 16:
      return core::InstanceState::running;
    case 32:
      return core::InstanceState::shutting_down;
    case 48:
      return core::InstanceState::terminated;
    case 64:
      return core::InstanceState::stopping;
    case 80:
      return core::InstanceState::stopped;
    default:
      return core::InstanceState::unknown;
  }
}

// A state element: the name decides, the code where the name is absent or new.
void read_state(std::string_view field, const std::string& text, core::InstanceState& state) {
  if (field == "name") {
    const auto named = core::parse_instance_state(text);
    if (named != core::InstanceState::unknown) state = named;
  } else if (field == "code" && state == core::InstanceState::unknown) {
    if (const auto code = parse_int(text)) state = state_of_code(*code);
  }
}

std::string before_colon(std::string_view text) {
  return std::string(trim(text.substr(0, text.find(':'))));
}

// Knows the root it expects and gathers the instances under one path.
class InstanceHandler final : public XmlHandler {
 public:
  InstanceHandler(std::string root, const std::string& under)
      : root_('/' + std::move(root)),
        item_(root_ + under),
        id_(root_ + "/requestId"),
        set_(root_ + under.substr(0, under.find('/', 1))) {}

  void on_start(std::string_view path) override {
    root_seen_ = root_seen_ || path == root_;
    marked_ = marked_ || path == id_ || path == set_;
    if (path == item_) {
      current_ = {};
      reason_.clear();
    }
    if (path == tag_) current_.tags.emplace_back();
  }

  void on_end(std::string_view path, const std::string& text) override {
    if (path == token_) next_token = text;
    if (path == item_) {
      finish_instance();
    } else if (path.starts_with(item_) && path[item_.size()] == '/') {
      read_field(path.substr(item_.size() + 1), text);
    }
  }

  [[nodiscard]] Status verdict() const {
    if (!root_seen_) return wrong_reply("its root is not " + root_.substr(1));
    // A proxy between this program and EC2 could answer with a bare root element; EC2 always adds one of
    // these two.
    if (!marked_) return wrong_reply("it has neither a result nor a request id");
    if (nameless_) return wrong_reply("an instance has no id");
    return Ok{};
  }

  std::vector<core::Instance> instances;
  std::string next_token;

 private:
  void read_field(std::string_view field, const std::string& text) {
    if (field == "instanceId") current_.id = text;
    if (field == "clientToken") current_.client_token = text;
    if (field == "instanceType") current_.type = text;
    if (field == "placement/availabilityZone") current_.zone = text;
    if (field == "privateIpAddress") current_.private_ip = text;
    if (field == "instanceLifecycle") current_.spot = text == "spot";
    if (field == "launchTime") current_.launched_at = parse_rfc3339(text);
    if (field == "stateReason/code") current_.state_reason = before_colon(text);
    if (field == "stateReason/message") reason_ = before_colon(text);
    if (field.starts_with("instanceState/")) read_state(field.substr(14), text, current_.state);
    if (field == "tagSet/item/key") current_.tags.back().first = text;
    if (field == "tagSet/item/value") current_.tags.back().second = text;
  }

  void finish_instance() {
    nameless_ = nameless_ || current_.id.empty();
    if (current_.state_reason.empty()) current_.state_reason = reason_;
    instances.push_back(std::move(current_));
  }

  std::string root_;
  std::string item_;
  std::string tag_ = item_ + "/tagSet/item";
  std::string token_ = root_ + "/nextToken";
  std::string id_;
  std::string set_;
  core::Instance current_;
  std::string reason_;
  bool root_seen_ = false;
  bool marked_ = false;
  bool nameless_ = false;
};

class TerminateHandler final : public XmlHandler {
 public:
  void on_start(std::string_view path) override {
    root_seen_ = root_seen_ || path == kRoot;
    if (path == kItem) changes.emplace_back();
  }
  void on_end(std::string_view path, const std::string& text) override {
    marked_ = marked_ || path == "/TerminateInstancesResponse/requestId" ||
              path == "/TerminateInstancesResponse/instancesSet";
    if (!path.starts_with(kItem) || path == kItem || path[kItem.size()] != '/') return;
    const auto field = path.substr(kItem.size() + 1);
    if (field == "instanceId") changes.back().id = text;
    if (field.starts_with("currentState/")) read_state(field.substr(13), text, changes.back().current);
  }
  [[nodiscard]] Status verdict() const {
    if (!root_seen_ || !marked_) return wrong_reply("it is no TerminateInstancesResponse");
    const auto nameless = [](const StateChange& change) { return change.id.empty(); };
    if (std::any_of(changes.begin(), changes.end(), nameless)) return wrong_reply("an instance has no id");
    return Ok{};
  }

  std::vector<StateChange> changes;

 private:
  static constexpr std::string_view kRoot = "/TerminateInstancesResponse";
  static constexpr std::string_view kItem = "/TerminateInstancesResponse/instancesSet/item";
  bool root_seen_ = false;
  bool marked_ = false;
};

class ImageHandler final : public XmlHandler {
 public:
  void on_start(std::string_view path) override {
    root_seen_ = root_seen_ || path == kRoot;
    marked_ = marked_ || path == kSet;
    if (path == kItem) images.emplace_back();
  }
  void on_end(std::string_view path, const std::string& text) override {
    if (!path.starts_with(kItem) || path == kItem || path[kItem.size()] != '/') return;
    const auto field = path.substr(kItem.size() + 1);
    if (field == "imageId") images.back().id = text;
    if (field == "rootDeviceName") images.back().root_device = text;
    if (field == "rootDeviceType") images.back().root_device_type = text;
  }
  [[nodiscard]] Status verdict() const {
    if (root_seen_ && marked_) return Ok{};
    return wrong_reply("it is no DescribeImagesResponse");
  }

  std::vector<Image> images;

 private:
  static constexpr std::string_view kRoot = "/DescribeImagesResponse";
  static constexpr std::string_view kSet = "/DescribeImagesResponse/imagesSet";
  static constexpr std::string_view kItem = "/DescribeImagesResponse/imagesSet/item";
  bool root_seen_ = false;
  bool marked_ = false;
};

class ErrorHandler final : public XmlHandler {
 public:
  void on_start(std::string_view) override {}
  void on_end(std::string_view path, const std::string& text) override {
    for (const std::string_view root : {"/Response", "/ErrorResponse"}) {
      if (path.starts_with(root)) read_below_root(path.substr(root.size()), text);
    }
  }

  AwsErrorReply reply;

 private:
  // EC2, STS and compatible services differ in the root, the list of errors and the spelling of the request's
  // id.
  void read_below_root(std::string_view path, const std::string& text) {
    for (const std::string_view at : {"/Errors/Error/", "/Error/"}) {
      if (path.starts_with(at)) read_field(path.substr(at.size()), text);
    }
    if (path == "/RequestID" || path == "/RequestId") reply.request_id = text;
  }

  void read_field(std::string_view field, const std::string& text) {
    if (field == "Code" && reply.code.empty()) reply.code = trim(text);
    if (field == "Message" && reply.message.empty()) reply.message = trim(text);
  }
};

}  // namespace

Result<InstancePage> parse_describe_instances(std::string_view body, const XmlLimits& limits) {
  InstanceHandler handler("DescribeInstancesResponse", "/reservationSet/item/instancesSet/item");
  if (auto read = read_xml(body, limits, handler); !read.ok()) return read.error();
  if (auto verdict = handler.verdict(); !verdict.ok()) return verdict.error();
  return InstancePage{std::move(handler.instances), std::move(handler.next_token)};
}

Result<std::vector<core::Instance>> parse_run_instances(std::string_view body, const XmlLimits& limits) {
  InstanceHandler handler("RunInstancesResponse", "/instancesSet/item");
  if (auto read = read_xml(body, limits, handler); !read.ok()) return read.error();
  if (auto verdict = handler.verdict(); !verdict.ok()) return verdict.error();
  if (handler.instances.empty()) return wrong_reply("a launch without an instance");
  return std::move(handler.instances);
}

Result<std::vector<StateChange>> parse_terminate_instances(std::string_view body, const XmlLimits& limits) {
  TerminateHandler handler;
  if (auto read = read_xml(body, limits, handler); !read.ok()) return read.error();
  if (auto verdict = handler.verdict(); !verdict.ok()) return verdict.error();
  return std::move(handler.changes);
}

Result<std::vector<Image>> parse_describe_images(std::string_view body, const XmlLimits& limits) {
  ImageHandler handler;
  if (auto read = read_xml(body, limits, handler); !read.ok()) return read.error();
  if (auto verdict = handler.verdict(); !verdict.ok()) return verdict.error();
  return std::move(handler.images);
}

std::optional<AwsErrorReply> parse_aws_error(std::string_view body, const XmlLimits& limits) {
  ErrorHandler handler;
  if (!read_xml(body, limits, handler).ok() || handler.reply.code.empty()) return std::nullopt;
  return std::move(handler.reply);
}

}  // namespace drover::aws
