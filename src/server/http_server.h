// An HTTP/1.1 server: one thread does all input and output, a few worker threads run the handler. It knows no routes (see
// router.h) and no models.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "server/http_message.h"
#include "server/http_parser.h"

namespace quern::server {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8080;               // 0: any that is free
  std::string certificate_file = {};  // PEM; with key_file: TLS
  std::string key_file = {};

  HttpLimits limits = {};
  uint64_t all_bodies_bytes = uint64_t{256} << 20;  // of all requests at once: 503 beyond
  size_t connections = 4096;                        // 503 beyond
  size_t queue_bytes = size_t{1} << 20;             // a stream's reader who leaves more unread is cut off
  int workers = 4;

  // A request must be whole within these times of its first byte (408).
  std::chrono::milliseconds head_time{10'000};
  std::chrono::milliseconds body_time{120'000};
  std::chrono::milliseconds idle_time{75'000};  // how long a connection may wait for its next request
  std::chrono::milliseconds stall_time{
      30'000};  // how long a client may read nothing of what is written to it
};

// Counts since the start, but `open`. Read by any thread.
struct HttpServerStats {
  std::atomic<int64_t> open = 0;      // connections now
  std::atomic<int64_t> accepted = 0;  // connections
  std::atomic<int64_t> requests = 0;  // that reached the handler
  std::atomic<int64_t> refused = 0;   // requests that did not: malformed, too large, too slow, too many
  std::atomic<int64_t> cut_off = 0;   // connections whose client read too slowly
};

class HttpServer {
 public:
  // Called on a worker thread; may answer at once or keep the reply for later. What it throws becomes an error response.
  using Handler = std::function<void(HttpRequest, std::shared_ptr<HttpReply>)>;

  // Listens; connections wait until run(). invalid_argument, permission or unavailable name the address and the reason.
  static Result<std::unique_ptr<HttpServer>> listen(HttpServerOptions options, Handler handler);
  // Precondition: run() is not running.
  ~HttpServer();

  uint16_t port() const;
  // "http://127.0.0.1:8080"
  std::string url() const;

  // Serves on this thread until stop(), or until what drain() left to finish has finished; then waits for handlers that
  // run. Once.
  void run();
  // Cuts all connections. Any thread, any number of times; also from a handler.
  void stop();
  // Accepts nothing more, lets requests that are being read or answered finish for up to `limit`, and stops. Any thread.
  void drain(std::chrono::milliseconds limit);

  const HttpServerStats& stats() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What `next` throws becomes an error response, and a line in the log. listen() wraps its handler so; handlers that want to
// see such answers wrap what they call.
HttpServer::Handler answering_errors(HttpServer::Handler next);

// True where only this machine can reach what listens on `host`: "localhost", "127.*", "::1".
bool is_loopback_host(const std::string& host);

}  // namespace quern::server
