#include "xml_reader.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include <libxml/parser.h>

namespace drover::aws {
namespace {

constexpr std::size_t kChunk = 64 * 1024;

struct ContextDelete {
  void operator()(xmlParserCtxt* context) const { xmlFreeParserCtxt(context); }
};

// What the callbacks share. A refusal stops the parser; its reason is kept.
struct Reader {
  XmlHandler& handler;
  const XmlLimits& limits;
  xmlParserCtxt* context = nullptr;
  std::string path;
  std::vector<std::size_t> lengths;  // of `path` before each open element
  std::string text;
  bool leaf = false;
  std::string refused;

  void refuse(std::string reason) {
    if (refused.empty()) refused = std::move(reason);
    xmlStopParser(context);
  }
};

std::string_view view(const xmlChar* text) {
  return reinterpret_cast<const char*>(text);
}

void on_start(void* user, const xmlChar* name, const xmlChar*, const xmlChar*, int, const xmlChar**, int, int,
              const xmlChar**) {
  auto& reader = *static_cast<Reader*>(user);
  if (!reader.refused.empty()) return;
  if (std::cmp_greater_equal(reader.lengths.size(), reader.limits.depth)) {
    reader.refuse("elements are nested too deep");
    return;
  }
  reader.lengths.push_back(reader.path.size());
  reader.path += '/';
  reader.path += view(name);
  reader.text.clear();
  reader.leaf = true;
  reader.handler.on_start(reader.path);
}

void on_end(void* user, const xmlChar*, const xmlChar*, const xmlChar*) {
  auto& reader = *static_cast<Reader*>(user);
  if (!reader.refused.empty() || reader.lengths.empty()) return;
  if (!reader.leaf) reader.text.clear();
  reader.handler.on_end(reader.path, reader.text);
  reader.path.resize(reader.lengths.back());
  reader.lengths.pop_back();
  reader.text.clear();
  reader.leaf = false;
}

void on_text(void* user, const xmlChar* data, int size) {
  auto& reader = *static_cast<Reader*>(user);
  if (!reader.refused.empty() || !reader.leaf) return;
  if (reader.text.size() + static_cast<std::size_t>(size) > reader.limits.text_bytes) {
    reader.refuse("an element's text is too long");
    return;
  }
  reader.text.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
}

void on_doctype(void* user, const xmlChar*, const xmlChar*, const xmlChar*) {
  static_cast<Reader*>(user)->refuse("a DOCTYPE is not accepted");
}

// These keep libxml2 from writing to standard error. What it cannot decode it reports to the thread's generic
// handler only.
void on_message(void*, const xmlError*) {}
void on_plain_message(void*, const char*, ...) {}
#if LIBXML_VERSION < 21200
void on_message_old(void* user, xmlError* error) {
  on_message(user, error);
}
#endif

xmlSAXHandler make_handler() {
  xmlSAXHandler sax{};
  sax.initialized = XML_SAX2_MAGIC;
  sax.startElementNs = on_start;
  sax.endElementNs = on_end;
  sax.characters = on_text;
  sax.cdataBlock = on_text;
  sax.internalSubset = on_doctype;
#if LIBXML_VERSION < 21200
  sax.serror = on_message_old;
#else
  sax.serror = on_message;
#endif
  return sax;
}

Error bad(std::string reason) {
  return invalid({}, "the reply is no usable XML: " + std::move(reason));
}

}  // namespace

Status read_xml(std::string_view body, const XmlLimits& limits, XmlHandler& handler) {
  static std::once_flag once;
  std::call_once(once, [] { xmlInitParser(); });
  xmlSetGenericErrorFunc(nullptr, on_plain_message);
  if (body.empty()) return bad("it is empty");
  if (body.size() > limits.bytes) return bad("it is too large");

  xmlSAXHandler sax = make_handler();
  Reader reader{handler, limits, nullptr, {}, {}, {}, false, {}};
  const std::unique_ptr<xmlParserCtxt, ContextDelete> context(
      xmlCreatePushParserCtxt(&sax, &reader, nullptr, 0, nullptr));
  if (!context) return bad("no memory for a parser");
  reader.context = context.get();
  xmlCtxtUseOptions(context.get(), XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

  int code = 0;
  while (!body.empty() && code == 0 && reader.refused.empty()) {
    const std::size_t size = std::min(body.size(), kChunk);
    code = xmlParseChunk(context.get(), body.data(), static_cast<int>(size), 0);
    body.remove_prefix(size);
  }
  if (code == 0 && reader.refused.empty()) code = xmlParseChunk(context.get(), nullptr, 0, 1);
  if (!reader.refused.empty()) return bad(reader.refused);
  if (code != 0 || context->wellFormed == 0 || !reader.lengths.empty()) {
    return bad("it is cut or not well-formed (libxml2 code " + std::to_string(code) + ")");
  }
  return Ok{};
}

}  // namespace drover::aws
