// A server on a thread of its own for the life of a test.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "server/http_server.h"

namespace quern::server::test {

class RunningServer {
 public:
  explicit RunningServer(HttpServer::Handler handler, HttpServerOptions options = {})
      : server_(HttpServer::listen(on_any_port(std::move(options)), std::move(handler)).value()),
        thread_([this] { server_->run(); }) {}
  ~RunningServer() {
    server_->stop();
    join();
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  HttpServer* operator->() { return server_.get(); }
  uint16_t port() const { return server_->port(); }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  static HttpServerOptions on_any_port(HttpServerOptions options) {
    options.port = 0;
    return options;
  }
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

// Something that happens once on another thread.
class Event {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  // False when it has not happened within a long time.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return set_; });
  }
  bool is_set() {
    const std::lock_guard lock(mutex_);
    return set_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

}  // namespace quern::server::test
