#include "server/reply_headers.h"

#include <utility>

#include "server/forwarding_reply.h"

namespace quern::server {

namespace {

class ReplyWithHeaders final : public ForwardingReply {
 public:
  ReplyWithHeaders(std::shared_ptr<HttpReply> reply, HttpHeaders headers)
      : ForwardingReply(std::move(reply)), headers_(std::move(headers)) {}

  void send(HttpResponse response) override {
    add(response.headers);
    reply_->send(std::move(response));
  }
  void begin(int status, std::string_view content_type, HttpHeaders headers) override {
    add(headers);
    reply_->begin(status, content_type, std::move(headers));
  }

 private:
  void add(HttpHeaders& headers) const {
    for (const auto& [name, value] : headers_) headers[name] = value;
  }

  const HttpHeaders headers_;
};

}  // namespace

std::shared_ptr<HttpReply> with_headers(std::shared_ptr<HttpReply> reply, HttpHeaders headers) {
  return std::make_shared<ReplyWithHeaders>(std::move(reply), std::move(headers));
}

}  // namespace quern::server
