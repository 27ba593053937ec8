// Replies of the cloud's endpoint: whatever comes, an error that says so or a result that can be acted on,
// never more than the body's own bytes.
#include "drover/aws/ec2_xml.hpp"
#include "drover/base/text.hpp"

#include "fuzz/property.hpp"

using drover::fuzz::hold;

namespace {

// Counts what a result holds. Entities that grow would show here; so would text that the store cannot take.
class Tally {
 public:
  // In UTF-8 a character of a one-byte or two-byte encoding takes at most twice its room.
  explicit Tally(std::string_view body) : allowed_(2 * body.size()) {}
  void add(const std::string& text, std::size_t limit) {
    hold(drover::storable_text(text), "text that cannot be stored");
    hold(text.size() <= limit, "an element's text beyond its bound");
    total_ += text.size();
    hold(total_ <= allowed_, "the result is larger than its reply");
  }

 private:
  std::size_t allowed_;
  std::size_t total_ = 0;
};

void check_error(const drover::Error& error) {
  hold(error.code == drover::Errc::invalid, "an error of another kind:", error.message);
  hold(!error.message.empty(), "an error without a message");
}

void check_instances(std::string_view body, const std::vector<drover::core::Instance>& instances,
                     const drover::aws::XmlLimits& limits) {
  Tally tally(body);
  for (const auto& instance : instances) {
    hold(!instance.id.empty(), "an instance without an id");
    for (const std::string* text : {&instance.id, &instance.state_reason, &instance.client_token,
                                    &instance.type, &instance.zone, &instance.private_ip}) {
      tally.add(*text, limits.text_bytes);
    }
    for (const auto& [key, value] : instance.tags) {
      tally.add(key, limits.text_bytes);
      tally.add(value, limits.text_bytes);
    }
  }
}

void check_all(std::string_view body, const drover::aws::XmlLimits& limits) {
  int taken = 0;
  if (const auto page = drover::aws::parse_describe_instances(body, limits); page.ok()) {
    ++taken;
    check_instances(body, page->instances, limits);
    hold(drover::storable_text(page->next_token), "a token that cannot be stored");
  } else {
    check_error(page.error());
  }
  if (const auto launched = drover::aws::parse_run_instances(body, limits); launched.ok()) {
    ++taken;
    hold(!launched->empty(), "a launch of nothing");
    check_instances(body, *launched, limits);
  } else {
    check_error(launched.error());
  }
  if (const auto ended = drover::aws::parse_terminate_instances(body, limits); ended.ok()) {
    ++taken;
    Tally tally(body);
    for (const auto& change : *ended) {
      hold(!change.id.empty(), "a change of an instance without an id");
      tally.add(change.id, limits.text_bytes);
    }
  } else {
    check_error(ended.error());
  }
  if (const auto error = drover::aws::parse_aws_error(body, limits)) {
    ++taken;
    hold(!error->code.empty(), "an error reply without a code");
    Tally tally(body);
    for (const std::string* text : {&error->code, &error->message, &error->request_id})
      tally.add(*text, limits.text_bytes);
  }
  hold(taken <= 1, "one reply was taken for two kinds");
  hold(taken == 0 || body.find("<!DOCTYPE") == std::string_view::npos ||
           body.find("<!DOCTYPE") > body.find('<'),
       "a document type was let through");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body = drover::fuzz::text_of(data, size);
  check_all(body, {});
  check_all(body, {.bytes = 1024, .depth = 8, .text_bytes = 16});
  return 0;
}
