#include "store/exchange.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>

#include "base/ascii.h"
#include "base/interrupt.h"
#include "base/version.h"

namespace quern::store {

namespace {

constexpr size_t kMaxHeaderBytes = size_t{256} << 10;
constexpr size_t kMaxErrorBody = size_t{4} << 10;

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// What the callbacks of one transfer share.
struct Transfer {
  ExchangeResult result;
  BodySink& sink;
  size_t header_bytes = 0;
  bool begun = false;

  bool succeeded() const { return result.head.status >= 200 && result.head.status < 300; }
  // Tells the sink, once, that content follows. False: stop here.
  bool begin();
  bool write(std::string_view bytes);
};

bool Transfer::begin() {
  if (begun) return true;
  begun = true;
  Result<bool> wanted = sink.begin(result.head);
  if (!wanted.ok()) {
    result.error = std::move(wanted).error();
    return false;
  }
  result.again = !*wanted;
  return *wanted;
}

bool Transfer::write(std::string_view bytes) {
  if (!succeeded()) {
    result.error_body.append(bytes.substr(0, kMaxErrorBody - result.error_body.size()));
    return result.error_body.size() < kMaxErrorBody;
  }
  if (!begin()) return false;
  if (InterruptGuard::requested()) return false;
  Result<void> written = sink.write(std::as_bytes(std::span(bytes)));
  if (!written.ok()) result.error = std::move(written).error();
  return written.ok();
}

std::string_view trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

size_t on_header(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size * count);
  transfer.header_bytes += line.size();
  if (transfer.header_bytes > kMaxHeaderBytes) {
    transfer.result.error = make_error(ErrorCode::corrupt, "the answer has more than 256 KiB of headers");
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // also after an interim answer (100 Continue)
    const size_t space = line.find(' ');
    transfer.result.head.status =
        space == std::string_view::npos ? 0 : std::atol(std::string(line.substr(space + 1, 3)).c_str());
    transfer.result.head.headers.clear();
    return line.size();
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  transfer.result.head.headers[name] = std::string(trimmed(line.substr(colon + 1)));
  return line.size();
}

size_t on_body(char* data, size_t size, size_t count, void* user) {
  return static_cast<Transfer*>(user)->write({data, size * count}) ? size * count : 0;
}

int on_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return InterruptGuard::requested() ? 1 : 0;
}

bool may_pass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

void set_certificates(CURL* handle, const HttpOptions& options) {
  std::string file = options.ca_file;
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}) {
    const char* value = std::getenv(name);
    if (file.empty() && value != nullptr) file = value;
  }
  if (!file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, file.c_str());
  if (const char* folder = std::getenv("SSL_CERT_DIR"); folder != nullptr && *folder != '\0') {
    curl_easy_setopt(handle, CURLOPT_CAPATH, folder);
  }
}

void set_credentials(CURL* handle, const Credentials& credentials) {
  if (!credentials.bearer.empty()) {
    curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(handle, CURLOPT_XOAUTH2_BEARER, credentials.bearer.c_str());
  } else if (!credentials.user.empty()) {
    curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(handle, CURLOPT_USERNAME, credentials.user.c_str());
    curl_easy_setopt(handle, CURLOPT_PASSWORD, credentials.password.c_str());
  }
}

Error connection_error(const Url& url, CURLcode code, const char* detail) {
  const ErrorCode kind = code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::deadline : ErrorCode::unavailable;
  std::string hint;
  if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT) {
    hint = "check the address and the network; behind a proxy set https_proxy";
  }
  if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
    hint = "to trust a certificate authority of your own, set SSL_CERT_FILE";
  }
  return make_error(
      kind, fmt::format("{}: {}", url.display(), *detail != '\0' ? detail : curl_easy_strerror(code)), hint);
}

}  // namespace

ExchangeResult exchange(const Url& url, const std::vector<std::string>& headers, const Request& request,
                        const HttpOptions& options, BodySink& sink) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, EasyDeleter> handle(initialised == CURLE_OK ? curl_easy_init() : nullptr);
  if (!handle) throw InternalError("libcurl cannot start");
  Transfer transfer{.result = {}, .sink = sink};
  transfer.result.head.url = url;
  std::unique_ptr<curl_slist, ListDeleter> list;
  for (const std::string& header : headers) {
    curl_slist* longer = curl_slist_append(list.get(), header.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    (void)list.release();
    list.reset(longer);
  }
  CURL* const h = handle.get();
  const std::string agent = fmt::format("quern/{}", version());
  char detail[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(h, CURLOPT_URL, url.text().c_str());
  curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(h, CURLOPT_USERAGENT, agent.c_str());
  curl_easy_setopt(h, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(h, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(h, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, options.connect_seconds);
  curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, options.stall_seconds);
  if (options.whole_seconds > 0)
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, static_cast<long>(1000.0 * options.whole_seconds));
  if (request.body) {
    curl_easy_setopt(h, CURLOPT_POST, 1L);
    curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
    curl_easy_setopt(h, CURLOPT_POSTFIELDS, request.body->c_str());
  }
  curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(h, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(h, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
  set_certificates(h, options);
  if (url.origin() == request.credentials.origin) set_credentials(h, request.credentials);

  const CURLcode code = curl_easy_perform(h);
  ExchangeResult& result = transfer.result;
  curl_off_t wait = 0;
  curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &wait);
  result.retry_after = static_cast<double>(wait);
  if (InterruptGuard::requested()) {
    result.error = make_error(ErrorCode::cancelled, "interrupted");
  } else if (code == CURLE_OK) {
    if (transfer.succeeded()) (void)transfer.begin();  // content may have no bytes at all
  } else if (!result.error && !result.again && (transfer.succeeded() || code != CURLE_WRITE_ERROR)) {
    result.error = connection_error(url, code, detail);
    result.transient = may_pass(code);
  }
  return std::move(transfer.result);
}

}  // namespace quern::store
