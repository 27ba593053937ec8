#include "drover/worker/worker.hpp"

#include "drover/base/text.hpp"
#include "drover/worker/embedded.hpp"

namespace drover::worker {
namespace {

std::string_view embedded(std::string_view path) {
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.path == path) return file.text;
  }
  return {};
}

void replace_all(std::string& text, std::string_view placeholder, std::string_view value) {
  for (auto at = text.find(placeholder); at != std::string::npos;
       at = text.find(placeholder, at + value.size())) {
    text.replace(at, placeholder.size(), value);
  }
}

}  // namespace

std::string_view worker_program() {
  return embedded("drover-worker");
}

std::string render_user_data(std::string_view url, int slots) {
  std::string text(embedded("bootstrap.sh"));
  while (url.ends_with('/')) url.remove_suffix(1);
  replace_all(text, "@DROVER_SLOTS@", std::to_string(slots));
  replace_all(text, "@DROVER_URL@", shell_quote(url));
  return text;
}

}  // namespace drover::worker
