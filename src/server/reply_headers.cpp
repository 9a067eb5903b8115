#include "server/reply_headers.h"

#include <utility>

namespace quern::server {

namespace {

class ReplyWithHeaders : public HttpReply {
 public:
  ReplyWithHeaders(std::shared_ptr<HttpReply> reply, HttpHeaders headers)
      : reply_(std::move(reply)), headers_(std::move(headers)) {}

  void send(HttpResponse response) override {
    add(response.headers);
    reply_->send(std::move(response));
  }
  void begin(int status, std::string_view content_type, HttpHeaders headers) override {
    add(headers);
    reply_->begin(status, content_type, std::move(headers));
  }
  void write(std::string_view bytes) override { reply_->write(bytes); }
  void end() override { reply_->end(); }
  void keep_alive(std::chrono::milliseconds silence, std::string bytes) override {
    reply_->keep_alive(silence, std::move(bytes));
  }
  bool closed() const override { return reply_->closed(); }
  void on_close(std::function<void()> callback) override { reply_->on_close(std::move(callback)); }

 private:
  void add(HttpHeaders& headers) const {
    for (const auto& [name, value] : headers_) headers[name] = value;
  }

  const std::shared_ptr<HttpReply> reply_;
  const HttpHeaders headers_;
};

}  // namespace

std::shared_ptr<HttpReply> with_headers(std::shared_ptr<HttpReply> reply, HttpHeaders headers) {
  return std::make_shared<ReplyWithHeaders>(std::move(reply), std::move(headers));
}

}  // namespace quern::server
