// What the HTTP server hands to handlers and takes from them: a whole request, a whole response, and the reply of a
// request that is answered now, later or piece by piece.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace quern::server {

struct Caller;
class RequestNotes;

// Orders ASCII text without regard to case, as names of headers are compared.
struct CaseInsensitiveLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

// One value per name: repeated headers of a request are joined by ", " (RFC 9110 section 5.3).
using HttpHeaders = std::map<std::string, std::string, CaseInsensitiveLess>;

struct HttpRequest {
  std::string method = {};  // "GET", as it was sent
  std::string path = {};    // percent-encoded as it was sent, without query; "/..." or "*"
  std::map<std::string, std::string> query = {};  // decoded; of repeated names the last
  HttpHeaders headers = {};
  std::string body = {};
  std::string remote = {};  // address of the client, "127.0.0.1"
  bool tls = false;
  std::shared_ptr<const Caller> caller = {};  // who asks; null until Auth knows, and where no keys are set

  // Empty when the request has none.
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  HttpHeaders headers = {};
};

// The answer to one request. Thread-safe; may outlive the handler, the connection and the server. Either send() once, or
// begin(), any number of write() and end(). When the last owner lets go of a reply that was not ended, the client gets a
// 500, or, where an answer has begun, a connection that breaks off.
class HttpReply {
 public:
  virtual ~HttpReply() = default;

  virtual void send(HttpResponse response) = 0;

  // Starts an answer of unknown length (chunked; to clients of HTTP/1.0 until the connection ends).
  virtual void begin(int status, std::string_view content_type, HttpHeaders headers = {}) = 0;
  // Queues bytes without waiting. A client that reads too slowly is cut off when its queue passes the server's limit.
  virtual void write(std::string_view bytes) = 0;
  virtual void end() = 0;
  // Between begin() and end(): writes `bytes` whenever nothing was written for `silence`.
  virtual void keep_alive(std::chrono::milliseconds silence, std::string bytes) = 0;

  // The client ended its side or was cut off before the answer was complete. What is still written reaches a client that
  // only closed its sending side.
  virtual bool closed() const = 0;
  // Calls back once when closed() becomes true, or at once when it is; never after end() or send(). The call comes from
  // the thread that serves all connections: it must be short and must not throw.
  virtual void on_close(std::function<void()> callback) = 0;

  // Where to note what becomes known of the request; null: nobody records it.
  virtual std::shared_ptr<RequestNotes> notes() const { return nullptr; }
};

// "Not Found" for 404; empty for statuses without a usual phrase.
std::string_view reason_of(int status);

// The text with %XX decoded, and '+' as space where `plus_is_space`. Nothing for a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// "a=1&b=x%20y". Nothing for a broken escape.
std::optional<std::map<std::string, std::string>> parse_query(std::string_view text);

// Status line and headers of a response, with the empty line. Control characters in values become spaces, so that no
// value can end its line.
std::string response_head(int status, std::string_view content_type, const HttpHeaders& headers);

}  // namespace quern::server
