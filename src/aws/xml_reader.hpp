#pragma once

#include <string>
#include <string_view>

#include "drover/aws/ec2_xml.hpp"
#include "drover/base/result.hpp"

namespace drover::aws {

// Hears a document in order. A path is "/Root/child/…" in local names.
class XmlHandler {
 public:
  virtual ~XmlHandler() = default;
  virtual void on_start(std::string_view path) = 0;
  // `text` is what a leaf holds, entities and CDATA decoded; empty for an element with children.
  virtual void on_end(std::string_view path, const std::string& text) = 0;
};

// Reads a whole document, or says why it cannot. After an error, what the handler was told is not to be used.
Status read_xml(std::string_view body, const XmlLimits& limits, XmlHandler& handler);

}  // namespace drover::aws
