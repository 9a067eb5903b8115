#include "server/sse.h"

#include <algorithm>
#include <utility>

namespace quern::server {

namespace {

// "field: line\n" for each line; lines end with CRLF, LF or CR.
void append_lines(std::string& out, std::string_view field, std::string_view text) {
  while (true) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    out.append(field).append(": ").append(text.substr(0, end)).push_back('\n');
    if (end == text.size()) return;
    text.remove_prefix(text.substr(end, 2) == "\r\n" ? end + 2 : end + 1);
  }
}

}  // namespace

SseStream::SseStream(std::shared_ptr<HttpReply> reply, std::chrono::milliseconds keep_alive,
                     HttpHeaders headers)
    : reply_(std::move(reply)) {
  headers.emplace("Cache-Control", "no-cache");
  headers.emplace("X-Accel-Buffering", "no");  // asks nginx to pass events on as they come
  reply_->begin(200, "text/event-stream; charset=utf-8", std::move(headers));
  reply_->keep_alive(keep_alive, ": keep-alive\n\n");
}

void SseStream::event(std::string_view data, std::string_view name) {
  std::string out;
  out.reserve(data.size() + name.size() + 24);
  if (!name.empty()) append_lines(out, "event", name);
  append_lines(out, "data", data);
  out.push_back('\n');
  reply_->write(out);
}

void SseStream::comment(std::string_view text) {
  std::string out;
  append_lines(out, "", text);
  out.push_back('\n');
  reply_->write(out);
}

void SseStream::done() {
  event("[DONE]");
  end();
}

void SseStream::end() { reply_->end(); }

}  // namespace quern::server
