// A reply that keeps what it is given.
#pragma once

#include <string>
#include <utility>

#include "server/http_message.h"

namespace quern::server::test {

struct FakeReply : HttpReply {
  HttpResponse response;  // of send() or begin(), its body what was written
  std::chrono::milliseconds silence{0};
  bool begun = false, ended = false;

  void send(HttpResponse given) override {
    response = std::move(given);
    begun = ended = true;
  }
  void begin(int status, std::string_view content_type, HttpHeaders headers) override {
    response = {status, std::string(content_type), "", std::move(headers)};
    begun = true;
  }
  void write(std::string_view bytes) override { response.body.append(bytes); }
  void end() override { ended = true; }
  void keep_alive(std::chrono::milliseconds given, std::string) override { silence = given; }
  bool closed() const override { return false; }
  void on_close(std::function<void()>) override {}
};

}  // namespace quern::server::test
