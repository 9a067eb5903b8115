// The queue between whoever answers a request, on any thread, and the connection that writes the answer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/http_message.h"

namespace quern::server {

// Thread-safe.
class Outbox {
 public:
  using Clock = std::chrono::steady_clock;

  struct Settings {
    bool http11 = true;
    bool head_only = false;  // the request was HEAD: no body goes out
    bool keep_alive = true;  // what the client wants
    size_t queue_limit = 1 << 20;
  };
  // `wake` is called, by whoever writes, when there is something for the connection to take; it must only post.
  Outbox(const Settings& settings, std::function<void()> wake);

  // For who answers; see HttpReply.
  void send(HttpResponse response);
  void begin(int status, std::string_view content_type, HttpHeaders headers);
  void write(std::string_view bytes);
  void end();
  void keep_alive(std::chrono::milliseconds silence, std::string bytes);
  bool closed() const;
  void on_close(std::function<void()> callback);
  // Nobody will answer any more: ends the answer with a 500, or breaks it off.
  void abandon();

  // For the connection.
  struct Batch {
    std::string bytes;
    bool last = false;       // the answer is complete with these bytes
    bool keep_alive = true;  // valid with `last`
  };
  Batch take();
  // The reader is too slow: the connection has to be cut off, although it is writing.
  bool broken() const;
  // Writes the keep-alive bytes where they are due.
  void tick(Clock::time_point now);
  // Further answers ask the client to close the connection.
  void close_after();
  // The client ended its side; what is written still goes out.
  void client_left();
  // Nothing goes out any more. The connection calls it before it ends, and is not woken after.
  void detach();

 private:
  using Callbacks = std::vector<std::function<void()>>;
  // The functions below need the lock.
  void start(int status, std::string_view content_type, HttpHeaders headers);
  void append(std::string_view bytes);
  void wake();
  bool misused(bool wrong, std::string_view what) const;

  const Settings settings_;
  mutable std::mutex mutex_;
  std::function<void()> wake_;
  bool woken_ = false;
  std::string queue_;
  bool keep_alive_;
  bool begun_ = false, ended_ = false;
  bool chunked_ = false;
  bool broken_ = false;
  bool left_ = false, detached_ = false;
  Callbacks callbacks_;
  std::chrono::milliseconds silence_{0};
  std::string silence_bytes_;
  Clock::time_point last_write_;
};

// The reply of a handler: abandons the outbox when its last owner lets go of it.
std::shared_ptr<HttpReply> make_reply(std::shared_ptr<Outbox> outbox);

}  // namespace quern::server
