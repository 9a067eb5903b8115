#include "server/http_outbox.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "server/api_error.h"

namespace quern::server {

namespace {

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

void call_all(const std::vector<std::function<void()>>& callbacks) {
  for (const auto& callback : callbacks) callback();
}

}  // namespace

Outbox::Outbox(const Settings& settings, std::function<void()> wake)
    : settings_(settings), wake_(std::move(wake)), keep_alive_(settings.keep_alive) {}

void Outbox::wake() {
  if (woken_ || detached_) return;
  woken_ = true;
  wake_();
}

// A second answer to one request is a defect of the handler, and no reason to harm the client.
bool Outbox::misused(bool wrong, std::string_view what) const {
  if (wrong) log::error("server", "{} out of turn is ignored", what);
  return wrong;
}

void Outbox::start(int status, std::string_view content_type, HttpHeaders headers) {
  begun_ = true;
  last_write_ = Clock::now();
  // A client of HTTP/1.0 stays only where it is told so, and in HTTP/1.1 "close" is what has to be said.
  if (!keep_alive_)
    headers["Connection"] = "close";
  else if (!settings_.http11)
    headers["Connection"] = "keep-alive";
  queue_.append(response_head(status, content_type, headers));
}

void Outbox::send(HttpResponse response) {
  Callbacks done;
  const std::lock_guard lock(mutex_);
  if (misused(begun_ || ended_, "send()")) return;
  const bool body = has_body(response.status);
  if (body) response.headers["Content-Length"] = std::to_string(response.body.size());
  start(response.status, body ? response.content_type : std::string_view(), std::move(response.headers));
  if (body && !settings_.head_only) queue_.append(response.body);
  ended_ = true;
  done.swap(callbacks_);
  wake();
}

void Outbox::begin(int status, std::string_view content_type, HttpHeaders headers) {
  const std::lock_guard lock(mutex_);
  if (misused(begun_ || ended_, "begin()")) return;
  chunked_ = settings_.http11;
  if (chunked_) {
    headers["Transfer-Encoding"] = "chunked";
  } else {
    keep_alive_ = false;  // the end of the connection is the end of the answer
  }
  start(status, content_type, std::move(headers));
  wake();
}

void Outbox::append(std::string_view bytes) {
  last_write_ = Clock::now();
  if (settings_.head_only || detached_ || broken_ || bytes.empty()) return;
  if (queue_.size() > settings_.queue_limit) {
    broken_ = true;
    queue_ = {};
    woken_ = false;  // whoever was woken waits for the reader
  } else if (chunked_) {
    fmt::format_to(std::back_inserter(queue_), "{:x}\r\n{}\r\n", bytes.size(), bytes);
  } else {
    queue_.append(bytes);
  }
  wake();
}

void Outbox::write(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (misused(!begun_ || ended_, "write()")) return;
  append(bytes);
}

void Outbox::end() {
  Callbacks done;
  const std::lock_guard lock(mutex_);
  if (misused(!begun_ || ended_, "end()")) return;
  ended_ = true;
  if (chunked_ && !settings_.head_only && !broken_) queue_.append("0\r\n\r\n");
  done.swap(callbacks_);
  wake();
}

void Outbox::keep_alive(std::chrono::milliseconds silence, std::string bytes) {
  const std::lock_guard lock(mutex_);
  silence_ = silence;
  silence_bytes_ = std::move(bytes);
}

bool Outbox::closed() const {
  const std::lock_guard lock(mutex_);
  return left_;
}

void Outbox::on_close(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    if (!left_) {
      callbacks_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

void Outbox::abandon() {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    // What has begun ends without its last chunk; and where the client left, nobody waits for an answer.
    if (begun_ || detached_ || left_) {
      ended_ = true;
      keep_alive_ = false;
      wake();
      return;
    }
  }
  log::error("server", "a request was left without an answer");
  send(to_response(api_error(500, "the server left this request without an answer")));
}

Outbox::Batch Outbox::take() {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  return {std::exchange(queue_, {}), ended_ && !broken_, keep_alive_};
}

bool Outbox::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

void Outbox::tick(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (begun_ && !ended_ && silence_.count() > 0 && now - last_write_ >= silence_) append(silence_bytes_);
}

void Outbox::close_after() {
  const std::lock_guard lock(mutex_);
  if (!begun_) keep_alive_ = false;
}

void Outbox::client_left() {
  Callbacks callbacks;
  {
    const std::lock_guard lock(mutex_);
    left_ = true;
    callbacks.swap(callbacks_);
  }
  call_all(callbacks);
}

void Outbox::detach() {
  Callbacks callbacks;
  {
    const std::lock_guard lock(mutex_);
    detached_ = true;
    if (!ended_) left_ = true;
    callbacks.swap(callbacks_);
    queue_ = {};
    wake_ = nullptr;
  }
  call_all(callbacks);
}

namespace {

class Reply : public HttpReply {
 public:
  explicit Reply(std::shared_ptr<Outbox> outbox) : outbox_(std::move(outbox)) {}
  ~Reply() override { outbox_->abandon(); }

  void send(HttpResponse response) override { outbox_->send(std::move(response)); }
  void begin(int status, std::string_view content_type, HttpHeaders headers) override {
    outbox_->begin(status, content_type, std::move(headers));
  }
  void write(std::string_view bytes) override { outbox_->write(bytes); }
  void end() override { outbox_->end(); }
  void keep_alive(std::chrono::milliseconds silence, std::string bytes) override {
    outbox_->keep_alive(silence, std::move(bytes));
  }
  bool closed() const override { return outbox_->closed(); }
  void on_close(std::function<void()> callback) override { outbox_->on_close(std::move(callback)); }

 private:
  std::shared_ptr<Outbox> outbox_;
};

}  // namespace

std::shared_ptr<HttpReply> make_reply(std::shared_ptr<Outbox> outbox) {
  return std::make_shared<Reply>(std::move(outbox));
}

}  // namespace quern::server
