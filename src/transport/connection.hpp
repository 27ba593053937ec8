#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>  // before Asio 1.74, which misses it

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>

#include "drover/base/clock.hpp"
#include "drover/base/log.hpp"
#include "drover/http/message.hpp"

#include "body.hpp"
#include "exchange.hpp"
#include "head_scanner.hpp"
#include "request_parser.hpp"
#include "shared.hpp"
#include "stream_pipe.hpp"

namespace drover::transport {

// One client's connection: requests one after the other, each answered before the next is looked at. All work
// is done on the socket's strand; the public functions may be called from anywhere.  It waits for the socket
// to become readable instead of leaving a read outstanding. So an idle connection holds no buffer, and while
// a reply is pending the same wait notices that the peer closes, without consuming bytes of the next request.
class Connection final : public Answerer, public std::enable_shared_from_this<Connection> {
 public:
  // The concrete type: any_io_executor would cost an allocation for each step of a connection.
  using Executor = boost::asio::strand<boost::asio::io_context::executor_type>;
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
  using Timer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

  Connection(std::shared_ptr<Shared> shared, Socket socket, std::string peer);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override;

  void start();
  void wind_down();  // finish what is in flight, but break off a stream if the server stops; then close
  void abort();      // close now
  // The answer to the request that is pending; once per request.
  void answer(http::Response response, std::function<void(bool)> done) override;
  [[nodiscard]] bool peer_open() const override { return peer_open_.load(); }
  // Since when the peer has been silent, if the connection may be closed for a new one: the peer never sent
  // anything, or nothing for a while.
  [[nodiscard]] std::optional<SteadyTime> idle_since(SteadyTime at) const;
  void give_way();  // closes, unless a request has begun

 private:
  enum class Stage { head, body, pending, writing, streaming, lingering, closed };

  static constexpr std::int64_t kLeastRate = 1024;       // bytes a second that a peer must send or take
  static constexpr std::size_t kAheadBytes = 64 * 1024;  // of later requests, while an answer is pending

  // Reading (connection.cpp)
  void wait_readable();
  void on_readable();
  void take(std::string_view data);
  void on_peer_end();
  void next();
  void on_need_more_head();
  void on_head();
  void on_policy(const http::BodyPolicy& policy);
  void refuse_unread(http::Response response);
  void read_body();
  void deliver();
  // Time
  void set_deadline(SteadyTime deadline);
  void set_progress_deadline(Seconds silence);
  void arm();
  void on_timer();
  // Answering (connection_answer.cpp)
  void refuse(http::Response response);
  void begin_answer(http::Response response, std::function<void(bool)> done);
  bool prepare_body(http::Response& response, std::int64_t& length);
  bool load_file_piece();
  void write_more();
  [[nodiscard]] ssize_t send_some();  // as ::sendmsg answers
  void on_answered();
  void send_continue();
  void linger();
  void close();
  void finish(bool delivered);
  // Streaming (connection_stream.cpp)
  std::optional<http::Response> stream_refusal();
  void begin_stream(http::Response response);
  std::int64_t held_by_kernel();
  void begin_progress();
  bool stream_is_read();
  void wake_stream();
  void pump_stream();
  bool load_stream_piece();
  void end_stream();
  void stop_stream();
  void break_stream();
  void cut_off();
  void close_with_reset();

  // A completion handler that keeps the connection alive; an exception in it ends the connection, not the
  // thread.
  template <class F>
  auto guarded(F function) {
    return [self = shared_from_this(), function = std::move(function)](auto&&... arguments) mutable {
      try {
        function(*self, std::forward<decltype(arguments)>(arguments)...);
      } catch (const std::exception& error) {
        log_error("a connection from {} is given up: {}", self->peer_, error.what());
        self->close();
      }
    };
  }

  const std::shared_ptr<Shared> shared_;  // first: the socket and the timer live on its event loop
  Socket socket_;
  Timer timer_;
  const std::string peer_;

  Stage stage_ = Stage::head;
  bool waiting_ = false;      // for the socket to become readable
  bool end_seen_ = false;     // the peer sends no more
  std::string in_;            // received and not yet used
  std::size_t lingered_ = 0;  // bytes thrown away before closing

  // The request being read
  HeadScanner scanner_;
  std::unique_ptr<RequestParser> parser_;
  http::Request request_;
  Body body_;
  std::optional<http::Response> held_answer_;  // a refusal, sent once the body was read
  bool head_timed_ = false;
  bool keep_alive_ = false;
  bool head_only_ = false;

  // The answer being written
  std::string out_head_;
  std::string out_body_;
  std::size_t out_done_ = 0;  // of the two together
  int file_ = -1;
  std::int64_t file_at_ = 0;
  std::int64_t file_left_ = 0;
  std::function<void(bool)> done_;
  bool reaches_peer_ = false;  // the peer was not known to have gone when the answer began
  bool close_after_ = false;

  // The stream, while the stage is streaming; its piece being written is in out_*
  std::shared_ptr<StreamPipe> stream_;
  bool stream_chunked_ = false;
  bool stream_blocked_ = false;  // a wait for the socket to become writable is under way
  bool stream_last_ = false;     // nothing comes behind what is in out_*

  // Deadlines: one timer, moved only when it would fire too late.
  SteadyTime deadline_ = SteadyTime::max();
  SteadyTime timer_at_ = SteadyTime::max();
  SteadyTime moving_since_{};
  std::int64_t moved_ = 0;  // bytes of this body or answer so far
  std::int64_t taken_ = 0;  // of a stream's, those that the peer had taken at the last look

  std::atomic<bool> peer_open_{true};
  std::atomic<bool> spoke_{false};
  std::atomic<SteadyTime::rep> quiet_since_;  // kBusy while a request is read or answered
  std::mutex mutex_;                          // guards gone_ against answers from other threads
  bool gone_ = false;                         // nothing may be posted any more
};

}  // namespace drover::transport
