// A reply that passes on what it is given: what others that change a part of it stand on.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "server/http_message.h"

namespace quern::server {

class ForwardingReply : public HttpReply {
 public:
  explicit ForwardingReply(std::shared_ptr<HttpReply> reply) : reply_(std::move(reply)) {}

  void send(HttpResponse response) override { reply_->send(std::move(response)); }
  void begin(int status, std::string_view content_type, HttpHeaders headers) override {
    reply_->begin(status, content_type, std::move(headers));
  }
  void write(std::string_view bytes) override { reply_->write(bytes); }
  void end() override { reply_->end(); }
  void keep_alive(std::chrono::milliseconds silence, std::string bytes) override {
    reply_->keep_alive(silence, std::move(bytes));
  }
  bool closed() const override { return reply_->closed(); }
  void on_close(std::function<void()> callback) override { reply_->on_close(std::move(callback)); }
  std::shared_ptr<RequestNotes> notes() const override { return reply_->notes(); }

 protected:
  const std::shared_ptr<HttpReply> reply_;
};

}  // namespace quern::server
