// A reply that may be given by another thread, and waited for.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "server/http_message.h"

namespace quern::server {

class AwaitedReply final : public HttpReply {
 public:
  void send(HttpResponse given) override {
    const std::lock_guard lock(mutex_);
    response_ = std::move(given);
    end_locked();
  }
  void begin(int status, std::string_view content_type, HttpHeaders headers) override {
    const std::lock_guard lock(mutex_);
    response_ = {.status = status,
                 .content_type = std::string(content_type),
                 .body = {},
                 .headers = std::move(headers)};
  }
  void write(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    response_.body.append(bytes);
  }
  void end() override {
    const std::lock_guard lock(mutex_);
    end_locked();
  }
  void keep_alive(std::chrono::milliseconds, std::string) override {}
  bool closed() const override { return closed_; }
  void on_close(std::function<void()> callback) override {
    const std::lock_guard lock(mutex_);
    if (!ended_) on_close_ = std::move(callback);
  }

  // Until the answer is whole; it is what the functions below tell of.
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_; });
  }
  int status() const { return response_.status; }
  const std::string& content_type() const { return response_.content_type; }
  const std::string& body() const { return response_.body; }
  const HttpHeaders& headers() const { return response_.headers; }
  // The client leaves.
  void close() {
    closed_ = true;
    const std::function<void()> callback = [&] {
      const std::lock_guard lock(mutex_);
      return std::exchange(on_close_, {});
    }();
    if (callback) callback();
  }

 private:
  void end_locked() {
    ended_ = true;
    on_close_ = {};
    changed_.notify_all();
  }
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  HttpResponse response_;
  std::function<void()> on_close_;
  bool ended_ = false, closed_ = false;
};

}  // namespace quern::server
