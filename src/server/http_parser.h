// Reads one HTTP/1.x request from bytes as they come.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/http_message.h"

namespace quern::server {

struct HttpLimits {
  uint64_t body_bytes = uint64_t{32} << 20;
  uint32_t header_bytes = 32 << 10;  // request line and headers together
  size_t headers = 100;
};

// Not thread-safe. Feed it until `complete` or `failed`, then take the request; a next one needs a new parser.
class HttpParser {
 public:
  enum class State {
    head,      // the request line or the headers are not complete
    body,      // the head is known, and there is a body to come
    complete,  // take() the request
    failed,    // see failure()
  };
  struct Failure {
    int status = 400;
    std::string message;
  };

  explicit HttpParser(const HttpLimits& limits);
  ~HttpParser();
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  // Takes a prefix of `bytes` and says how long it was; what is left is to be offered again with more behind it, or
  // belongs to the next request. Stops once at the end of the head.
  size_t feed(std::string_view bytes);
  State state() const { return state_; }
  const Failure& failure() const { return failure_; }

  // From the head on.
  bool keep_alive() const { return keep_alive_; }
  bool http11() const { return http11_; }
  bool expects_continue() const;
  const HttpRequest& request() const { return request_; }
  size_t body_bytes() const;

  // Precondition: complete.
  HttpRequest take();

 private:
  struct Impl;
  void finish_head();
  void fail(int status, std::string message);
  bool read_target(std::string_view target);

  std::unique_ptr<Impl> impl_;
  HttpLimits limits_;
  State state_ = State::head;
  Failure failure_;
  HttpRequest request_;
  bool keep_alive_ = false;
  bool http11_ = true;
};

}  // namespace quern::server
