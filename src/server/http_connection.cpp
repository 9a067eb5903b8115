#include "server/http_connection.h"

#include <fmt/format.h>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <utility>

#include "server/api_error.h"

namespace quern::server {

namespace asio = boost::asio;

namespace {
constexpr size_t kSmallRead = 4 << 10, kLargeRead = 64 << 10;
constexpr size_t kMostAhead = 64 << 10;              // pipelined input kept while a request is answered
constexpr size_t kKeptCapacity = 16 << 10;           // of buffers between uses
constexpr std::chrono::milliseconds kLinger{2'000};  // for the client to take in the last answer
}  // namespace

HttpConnection::HttpConnection(HttpHost& host, asio::any_io_executor executor,
                               std::unique_ptr<Transport> transport, std::string remote, bool tls)
    : host_(host),
      executor_(std::move(executor)),
      transport_(std::move(transport)),
      remote_(std::move(remote)),
      tls_(tls) {}

void HttpConnection::start() {
  set_deadline(host_.options.head_time);
  transport_->handshake([self = shared_from_this()](const SocketError& error) {
    if (self->state_ != State::handshake) return;
    if (error) return self->close();
    self->state_ = State::reading;
    self->read();
  });
}

void HttpConnection::start_refused(int status, std::string message) {
  refuse(status, std::move(message));
  read();
}

// ---- input ----

void HttpConnection::read() {
  if (reading_ || input_ended_ || state_ == State::closed) return;
  if (state_ == State::answering && !discarding_ && input_.size() >= kMostAhead) return;
  const bool bulk = parser_ && parser_->state() == HttpParser::State::body;
  chunk_.resize(bulk ? kLargeRead : kSmallRead);
  if (!bulk && chunk_.capacity() > kKeptCapacity) chunk_.shrink_to_fit();
  reading_ = true;
  transport_->read_some(asio::buffer(chunk_),
                        [self = shared_from_this()](const SocketError& error, size_t bytes) {
                          self->reading_ = false;
                          self->on_read(error, bytes);
                        });
}

void HttpConnection::on_read(const SocketError& error, size_t bytes) {
  if (state_ == State::closed) return;
  if (error) return on_input_end(error);
  if (!discarding_) input_.append(chunk_.data(), bytes);
  if (state_ == State::reading) advance();
  read();
}

void HttpConnection::on_input_end(const SocketError& error) {
  input_ended_ = true;
  if (state_ != State::answering) return close();
  // One cannot see whether the client has gone or only has nothing more to say; writing will tell.
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) {
    const auto outbox = outbox_;
    outbox->client_left();
  } else {
    close();
  }
}

// Parses what has been read until a request is whole or more is needed.
void HttpConnection::advance() {
  while (state_ == State::reading && !input_.empty()) {
    if (!parser_) {
      // Some clients end a body with an empty line that belongs to nothing (RFC 9112 section 2.2).
      input_.erase(0, input_.find_first_not_of("\r\n"));
      if (input_.empty()) break;
      parser_ = std::make_unique<HttpParser>(host_.options.limits);
      set_deadline(host_.options.head_time);
    }
    if (!feed_parser()) break;
  }
  if (input_.empty() && input_.capacity() > kKeptCapacity) input_.shrink_to_fit();
  if (state_ == State::reading && input_ended_) close();
}

// False when the parser needs more than there is.
bool HttpConnection::feed_parser() {
  const HttpParser::State before = parser_->state();
  const size_t used = parser_->feed(input_);
  input_.erase(0, used);
  switch (parser_->state()) {
    case HttpParser::State::failed: {
      const HttpParser::Failure failure = parser_->failure();
      refuse(failure.status, failure.message);
      return true;
    }
    case HttpParser::State::complete:
      if (count_body()) dispatch();
      return true;
    case HttpParser::State::head:
      return false;
    case HttpParser::State::body:
      break;
  }
  if (!count_body()) return true;
  if (before == HttpParser::State::head) {
    set_deadline(host_.options.body_time);
    if (parser_->expects_continue() && input_.empty()) {
      out_ = "HTTP/1.1 100 Continue\r\n\r\n";
      write();
    }
    return true;
  }
  return used > 0;
}

bool HttpConnection::count_body() {
  const uint64_t more = parser_->body_bytes() - counted_body_;
  if (host_.body_bytes + more > host_.options.all_bodies_bytes) {
    refuse(503, fmt::format("the requests that are being served hold the limit of {} bytes",
                            host_.options.all_bodies_bytes));
    return false;
  }
  host_.body_bytes += more;
  counted_body_ += more;
  return true;
}

void HttpConnection::dispatch() {
  const Outbox::Settings settings{.http11 = parser_->http11(),
                                  .head_only = parser_->request().method == "HEAD",
                                  .keep_alive = parser_->keep_alive() && !host_.draining,
                                  .queue_limit = host_.options.queue_bytes};
  HttpRequest request = parser_->take();
  request.remote = remote_;
  request.tls = tls_;
  parser_.reset();
  state_ = State::answering;
  open_outbox(settings);
  if (input_ended_) outbox_->client_left();
  ++host_.stats.requests;
  host_.handle(std::move(request), make_reply(outbox_));
}

void HttpConnection::refuse(int status, std::string message) {
  ++host_.stats.refused;
  parser_.reset();
  discarding_ = true;
  input_ = {};
  state_ = State::answering;
  open_outbox({.keep_alive = false});
  outbox_->send(to_response(api_error(status, std::move(message))));
}

// ---- output ----

void HttpConnection::open_outbox(const Outbox::Settings& settings) {
  outbox_ = std::make_shared<Outbox>(settings, [executor = executor_, weak = weak_from_this()] {
    asio::post(executor, [weak] {
      if (const auto self = weak.lock()) self->flush();
    });
  });
}

void HttpConnection::flush() {
  if (state_ != State::answering) return;
  if (outbox_->broken()) return cut_off();
  if (writing_) return;
  Outbox::Batch batch = outbox_->take();
  out_ = std::move(batch.bytes);
  last_ = batch.last;
  keep_alive_ = batch.keep_alive;
  if (!out_.empty()) {
    write();
  } else if (last_) {
    finish();
  }
}

void HttpConnection::write() {
  writing_ = true;
  write_deadline_ = Clock::now() + host_.options.stall_time;
  transport_->write_some(
      asio::buffer(out_.data() + written_, out_.size() - written_),
      [self = shared_from_this()](const SocketError& error, size_t bytes) { self->on_write(error, bytes); });
}

void HttpConnection::on_write(const SocketError& error, size_t bytes) {
  if (state_ == State::closed) return;
  if (error) return close();
  written_ += bytes;
  if (written_ < out_.size()) return write();
  writing_ = false;
  written_ = 0;
  out_ = {};
  if (last_) {
    finish();
  } else {
    flush();
  }
}

void HttpConnection::finish() {
  last_ = false;
  host_.body_bytes -= std::exchange(counted_body_, 0);
  std::exchange(outbox_, nullptr)->detach();
  if (!keep_alive_ || host_.draining || discarding_) return linger();
  state_ = State::reading;
  set_deadline(host_.options.idle_time);
  advance();
  if (state_ == State::reading && input_ended_) return close();
  read();
}

// Closing a socket with unread input makes the system throw away what the client has not read yet: says goodbye and
// reads on for a while.
void HttpConnection::linger() {
  if (input_ended_) return close();
  state_ = State::lingering;
  discarding_ = true;
  input_ = {};
  set_deadline(kLinger);
  transport_->end_writing([self = shared_from_this()] {});
  read();
}

void HttpConnection::cut_off() {
  ++host_.stats.cut_off;
  close();
}

// ---- life ----

void HttpConnection::tick(Clock::time_point now) {
  if (writing_ && now >= write_deadline_) return cut_off();
  switch (state_) {
    case State::handshake:
    case State::lingering:
      if (now >= deadline_) close();
      break;
    case State::reading:
      if (now < deadline_) break;
      if (!parser_) return close();
      refuse(408, "the request was not complete in time");
      break;
    case State::answering:
      outbox_->tick(now);
      break;
    case State::closed:
      break;
  }
}

void HttpConnection::drain() {
  if (state_ == State::handshake || (state_ == State::reading && !parser_ && input_.empty())) return close();
  if (outbox_) outbox_->close_after();
}

void HttpConnection::close() {
  if (state_ == State::closed) return;
  const auto self = shared_from_this();
  state_ = State::closed;
  transport_->close();
  host_.body_bytes -= std::exchange(counted_body_, 0);
  if (const auto outbox = std::exchange(outbox_, nullptr)) outbox->detach();
  host_.forget(self);
}

}  // namespace quern::server
