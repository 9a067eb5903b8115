// Server-sent events (WHATWG HTML, "Server-sent events") as the answer to a request.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "server/http_message.h"

namespace quern::server {

// Thread-safe as its reply is, each event in one piece. Begins the answer when it is made.
class SseStream {
 public:
  // Sends a comment whenever the stream was silent for `keep_alive`, so that proxies keep the connection; 0: never.
  explicit SseStream(std::shared_ptr<HttpReply> reply,
                     std::chrono::milliseconds keep_alive = std::chrono::seconds(15),
                     HttpHeaders headers = {});

  // `name` is the type of the event; empty: none, as OpenAI's streams have it. Lines of `data` become lines of the event.
  void event(std::string_view data, std::string_view name = {});
  void comment(std::string_view text);
  // "data: [DONE]", with which OpenAI's streams end, and the end.
  void done();
  void end();

  bool closed() const { return reply_->closed(); }
  HttpReply& reply() { return *reply_; }

 private:
  std::shared_ptr<HttpReply> reply_;
};

}  // namespace quern::server
