#include "server/http_parser.h"

// Beast asserts that at least five bytes follow the size of a last chunk, which a client decides; what follows the
// assertion copes with fewer.
#define BOOST_DISABLE_ASSERTS
#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace quern::server {

namespace http = boost::beast::http;

struct HttpParser::Impl {
  http::request_parser<http::string_body> parser;
};

namespace {

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

HttpParser::Failure failure_of(const boost::beast::error_code& error, const HttpLimits& limits) {
  if (error == http::error::body_limit) {
    return {413, fmt::format("the body is larger than the limit of {} bytes", limits.body_bytes)};
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return {431, fmt::format("request line and headers are larger than the limit of {} bytes",
                             limits.header_bytes)};
  }
  if (error == http::error::bad_version) return {505, "expected HTTP/1.1 or HTTP/1.0"};
  return {400, fmt::format("not a valid HTTP request: {}", error.message())};
}

}  // namespace

HttpParser::HttpParser(const HttpLimits& limits) : impl_(std::make_unique<Impl>()), limits_(limits) {
  impl_->parser.body_limit(limits.body_bytes);
  impl_->parser.header_limit(limits.header_bytes);
}
HttpParser::~HttpParser() = default;

void HttpParser::fail(int status, std::string message) {
  state_ = State::failed;
  keep_alive_ = false;
  failure_ = {status, std::move(message)};
}

size_t HttpParser::feed(std::string_view bytes) {
  if (state_ == State::complete || state_ == State::failed || bytes.empty()) return 0;
  boost::beast::error_code error;
  const size_t used = impl_->parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (error && error != http::error::need_more) {
    const Failure failure = failure_of(error, limits_);
    fail(failure.status, failure.message);
    return used;
  }
  if (state_ == State::head && impl_->parser.is_header_done()) finish_head();
  if (state_ == State::body && impl_->parser.is_done()) state_ = State::complete;
  return used;
}

// Copies the head now: trailers of a chunked body would be added to the parser's fields.
void HttpParser::finish_head() {
  const auto& message = impl_->parser.get();
  state_ = State::body;
  request_.method = view(message.method_string());
  http11_ = message.version() >= 11;
  keep_alive_ = message.keep_alive();
  size_t hosts = 0, count = 0;
  for (const auto& field : message) {
    const std::string name(view(field.name_string()));
    const std::string value(view(field.value()));
    if (++count > limits_.headers) return fail(431, fmt::format("more than {} headers", limits_.headers));
    if (field.name() == http::field::host) ++hosts;
    const auto [at, added] = request_.headers.emplace(name, value);
    if (!added) at->second.append(", ").append(value);
  }
  if (hosts > 1 || (http11_ && hosts == 0)) return fail(400, "expected exactly one Host header");
  if (!request_.header("transfer-encoding").empty() && (!impl_->parser.chunked() || !http11_)) {
    return fail(501, "the only transfer encoding that is understood is \"chunked\"");
  }
  if (!request_.header("expect").empty() && !expects_continue()) {
    return fail(417, "the only expectation that is understood is \"100-continue\"");
  }
  if (!read_target(view(message.target()))) return;
  impl_->parser.eager(true);
}

// origin-form, absolute-form or "*" (RFC 9112 section 3.2).
bool HttpParser::read_target(std::string_view target) {
  const auto refuse = [&](std::string_view why) {
    fail(400, fmt::format("the target of the request {}", why));
    return false;
  };
  if (const size_t scheme = target.find("://");
      !target.starts_with('/') && scheme != std::string_view::npos) {
    const size_t path = target.find_first_of("/?", scheme + 3);
    target.remove_prefix(std::min(path, target.size()));
  }
  const size_t question = std::min(target.find('?'), target.size());
  request_.path = target.substr(0, question);
  if (request_.path.empty()) request_.path = "/";
  if (request_.path != "*" && !request_.path.starts_with('/')) return refuse("is not a path");
  if (!percent_decode(request_.path)) return refuse("has a '%' without two hexadecimal digits");
  auto query = parse_query(target.substr(std::min(question + 1, target.size())));
  if (!query) return refuse("has a query with a '%' without two hexadecimal digits");
  request_.query = std::move(*query);
  return true;
}

bool HttpParser::expects_continue() const {
  constexpr CaseInsensitiveLess less;
  const std::string_view expect = request_.header("expect"), wanted = "100-continue";
  return http11_ && !less(expect, wanted) && !less(wanted, expect);
}

size_t HttpParser::body_bytes() const { return impl_->parser.get().body().size(); }

HttpRequest HttpParser::take() {
  request_.body = std::move(impl_->parser.get().body());
  return std::move(request_);
}

}  // namespace quern::server
