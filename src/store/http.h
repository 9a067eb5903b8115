// HTTP for downloads and questions to services, over libcurl: retries of what may pass, redirects that keep credentials at their origin,
// proxies and certificates as the environment says (https_proxy, no_proxy, SSL_CERT_FILE, CURL_CA_BUNDLE, ...).
// Ctrl-C (base/interrupt.h) ends an exchange within a second.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/url.h"

namespace quern::store {

struct HttpOptions {
  int attempts = 5;            // in a row without any progress
  double backoff_seconds = 1;  // before the second attempt; doubles each time
  double longest_wait = 120;   // a server that asks for more gets an error instead
  long connect_seconds = 30;
  long stall_seconds = 60;                     // without a byte, until the attempt counts as failed
  double whole_seconds = 0;                    // for an attempt as a whole; 0: as long as bytes come
  bool allow_http = false;                     // without TLS also beyond this machine
  std::string allow_http_by = "--allow-http";  // how a user allows it
  std::string task = "pull";                   // what the log calls it; empty: it is told nothing
  std::string ca_file;                         // certificates to trust; "" as the environment says
};

// Sent to `origin` alone, wherever redirects lead. A bearer token, or a user and a password.
struct Credentials {
  std::string origin;
  std::string bearer;
  std::string user, password;
};

struct Request {
  Url url;
  std::vector<std::string> headers;  // "Name: value"
  Credentials credentials;
  std::optional<std::string> body = {};  // what is posted; none: the content is asked for
};

// A request that carries the user and password of its address.
Request request_for(const Url& url);

// Status and headers of the answer that has the content, after redirects.
struct ResponseHead {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  Url url;

  // "" when absent.
  std::string header(const std::string& name) const;
  // The number of bytes that follow, where the server says it.
  std::optional<uint64_t> content_length() const;
};

// Takes the content of an answer; asked again for every attempt.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // Headers of the next attempt, such as the range that is missing.
  virtual Result<std::vector<std::string>> next_headers() = 0;
  // An answer begins (status 2xx). False: not what was asked for; ask again at once.
  virtual Result<bool> begin(const ResponseHead& head) = 0;
  virtual Result<void> write(std::span<const std::byte> bytes) = 0;
  // The range asked for does not exist (status 416): forget what is kept.
  virtual Result<void> range_refused() = 0;
  // Bytes that the next attempt need not fetch again.
  virtual uint64_t kept() const = 0;
  // An error, which may pass, where an answer that ended well is not whole, or not what was asked for.
  virtual Result<void> complete() const = 0;
};

struct Response {
  ResponseHead head;
  std::string body;
};

// Not thread-safe: one per thread.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {});

  // The whole content, at most `limit` bytes. Errors by status: 401 and 403 permission, 404 not_found, 5xx and
  // timeouts unavailable after the last attempt; corrupt for more than `limit` bytes; cancelled.
  Result<Response> get(const Request& request, uint64_t limit);
  // Posts Request::body; redirects that would lose it are errors. An answer that `check` finds fault with may be right the next
  // time, and after the last attempt the fault is the error.
  Result<Response> post(const Request& request, uint64_t limit,
                        const std::function<Result<void>(std::string_view body)>& check);
  // The same into a sink.
  Result<void> fetch(const Request& request, BodySink& sink);

  const HttpOptions& options() const { return options_; }

 private:
  struct Outcome;
  Outcome attempt(const Request& request, BodySink& sink);
  Result<void> check_allowed(const Url& url, const Url* from) const;

  HttpOptions options_;
};

}  // namespace quern::store
