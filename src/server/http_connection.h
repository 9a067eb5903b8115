// One connection of the HTTP server: reads requests, hands them over, writes what their outboxes hold. Included by the
// sources of the HTTP server only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "server/http_outbox.h"
#include "server/http_parser.h"
#include "server/http_server.h"
#include "server/http_transport.h"

namespace quern::server {

class HttpConnection;

// What connections share. Used by the I/O thread alone.
struct HttpHost {
  virtual ~HttpHost() = default;
  // Runs the handler elsewhere.
  virtual void handle(HttpRequest request, std::shared_ptr<HttpReply> reply) = 0;
  virtual void forget(const std::shared_ptr<HttpConnection>& connection) = 0;

  HttpServerOptions options;
  HttpServerStats stats;
  bool draining = false;
  uint64_t body_bytes = 0;  // of all requests being read or answered
};

// All functions are the I/O thread's. A read is always pending, so that a client that leaves is noticed while its request
// waits or its answer streams; what it brings then are pipelined requests, kept up to a limit.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Clock = std::chrono::steady_clock;

  HttpConnection(HttpHost& host, boost::asio::any_io_executor executor, std::unique_ptr<Transport> transport,
                 std::string remote, bool tls);

  void start();
  // Answers with this error, whatever the client asks, and ends.
  void start_refused(int status, std::string message);
  // Enforces the time limits; called several times a second.
  void tick(Clock::time_point now);
  // Ends the connection when it is idle, or after the request in hand.
  void drain();
  void close();

 private:
  enum class State { handshake, reading, answering, lingering, closed };

  void set_deadline(std::chrono::milliseconds from_now) { deadline_ = Clock::now() + from_now; }
  void read();
  void on_read(const SocketError& error, size_t bytes);
  void on_input_end(const SocketError& error);
  void advance();
  bool feed_parser();
  bool count_body();
  void dispatch();
  void refuse(int status, std::string message);
  void open_outbox(const Outbox::Settings& settings);
  void flush();
  void write();
  void on_write(const SocketError& error, size_t bytes);
  void finish();
  void linger();
  void cut_off();

  HttpHost& host_;
  boost::asio::any_io_executor executor_;
  std::unique_ptr<Transport> transport_;
  const std::string remote_;
  const bool tls_;

  State state_ = State::handshake;
  Clock::time_point deadline_;  // of the state, but of `answering`, which has none

  std::vector<char> chunk_;  // what the pending read fills
  std::string input_;        // read and not yet parsed
  bool reading_ = false;
  bool input_ended_ = false;
  bool discarding_ = false;             // input no longer matters
  std::unique_ptr<HttpParser> parser_;  // of a request that has begun
  uint64_t counted_body_ = 0;           // what of host_.body_bytes is of this connection

  std::shared_ptr<Outbox> outbox_;  // while answering
  std::string out_;                 // being written, from written_ on
  size_t written_ = 0;
  bool writing_ = false;
  bool last_ = false;        // out_ completes the answer
  bool keep_alive_ = false;  // after it
  Clock::time_point write_deadline_;
};

}  // namespace quern::server
