#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover::transport {

// How long a test waits for what must come; only a broken server makes it wait so long. DROVER_PATIENCE_MS
// shortens it where the server is known to be broken.
std::chrono::milliseconds patience();

// One answer as it came over the wire; of status 0 when none did.
struct Answer {
  int status = 0;
  std::string head;  // status line and fields
  std::string body;
  [[nodiscard]] std::string field(std::string_view lower_name) const;  // trimmed; empty when absent
  [[nodiscard]] bool came() const { return status != 0; }
  [[nodiscard]] bool has(std::string_view lower_name) const;
};

// A bare socket, so that a test can send what no client library would. Every wait is bounded; a failure to
// connect aborts the program.
class RawClient {
 public:
  RawClient();  // holds its descriptor, and waits for connect()
  explicit RawClient(std::uint16_t port) : RawClient() { connect(port); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { close(); }

  void connect(std::uint16_t port);  // to 127.0.0.1; once

  // False once the server has closed.
  bool send(std::string_view bytes);
  // Each byte in a segment of its own; stops early when the server has closed.
  void send_bytewise(std::string_view bytes);
  void finish_sending();  // FIN
  void close();
  void reset();  // RST instead of FIN

  // The next answer; none when the connection ends without one or patience is over. `head`: no body follows
  // whatever its length says.
  Answer read_answer(bool head = false);
  // The next bytes as they are; fewer when the connection ends or patience is over.
  std::string read_exactly(std::size_t bytes);
  // What the next chunk of a chunked body holds; empty of the last one. nullopt when there is none, or it is
  // framed otherwise than as hexadecimal size, CRLF, data, CRLF.
  std::optional<std::string> read_chunk();
  // All chunks through the last one; nullopt when it does not come.
  std::optional<std::string> read_chunks();
  // Everything until the server closes; nullopt if it does not.
  std::optional<std::string> read_to_end();
  // Waits for the server to close; false if something else comes or nothing does.
  [[nodiscard]] bool at_end();
  [[nodiscard]] bool timed_out() const { return timed_out_; }
  // Whether the connection has ended by a reset.
  [[nodiscard]] bool was_reset() const { return reset_; }
  // The kernel is to take little that is not read; before connect().
  void receive_little();

 private:
  bool fill();  // one more piece; false at the end

  int fd_ = -1;
  std::string in_;
  bool timed_out_ = false;
  bool reset_ = false;
};

std::string get(std::string_view path, std::string_view fields = {});
std::string post(std::string_view path, std::string_view body, std::string_view fields = {});

}  // namespace drover::transport
