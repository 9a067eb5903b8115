#include "store/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace quern::store {

namespace {

struct HandleDeleter {
  void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
};
using Handle = std::unique_ptr<CURLU, HandleDeleter>;

std::string part(CURLU* handle, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle, which, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

Result<Url> take_apart(CURLU* handle, std::string_view text) {
  Url url{.scheme = part(handle, CURLUPART_SCHEME),
          .host = part(handle, CURLUPART_HOST),
          .port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT),
          .path = part(handle, CURLUPART_PATH),
          .query = part(handle, CURLUPART_QUERY),
          .fragment = part(handle, CURLUPART_FRAGMENT),
          .user = part(handle, CURLUPART_USER, CURLU_URLDECODE),
          .password = part(handle, CURLUPART_PASSWORD, CURLU_URLDECODE)};
  std::ranges::transform(url.host, url.host.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if ((url.scheme != "http" && url.scheme != "https") || url.host.empty()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("'{}': expected an address that begins with https://", text));
  }
  return url;
}

}  // namespace

std::string Url::origin() const { return fmt::format("{}://{}:{}", scheme, host, port); }

std::string Url::display() const {
  const bool usual = port == (scheme == "https" ? "443" : "80");
  return fmt::format("{}://{}{}{}", scheme, host, usual ? "" : ":" + port, path);
}

std::string Url::text() const { return query.empty() ? display() : display() + "?" + query; }

std::string Url::file_name() const {
  const std::string last = path.substr(path.rfind('/') + 1);
  int length = 0;
  char* decoded = curl_easy_unescape(nullptr, last.c_str(), static_cast<int>(last.size()), &length);
  if (decoded == nullptr) return last;
  std::string name(decoded, static_cast<size_t>(length));
  curl_free(decoded);
  return name;
}

bool Url::is_loopback() const {
  if (host == "localhost" || host == "[::1]") return true;
  in_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

Result<Url> parse_url(std::string_view text) {
  const Handle handle(curl_url());
  if (const CURLUcode code = curl_url_set(handle.get(), CURLUPART_URL, std::string(text).c_str(), 0);
      code != CURLUE_OK) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("'{}': not an address: {}", text, curl_url_strerror(code)));
  }
  return take_apart(handle.get(), text);
}

Result<Url> join_url(const Url& base, std::string_view reference) {
  const Handle handle(curl_url());
  CURLUcode code = curl_url_set(handle.get(), CURLUPART_URL, base.text().c_str(), 0);
  if (code == CURLUE_OK) code = curl_url_set(handle.get(), CURLUPART_URL, std::string(reference).c_str(), 0);
  if (code != CURLUE_OK) {
    return make_error(ErrorCode::corrupt, fmt::format("{}: not a link: '{}': {}", base.display(), reference,
                                                      curl_url_strerror(code)));
  }
  QUERN_TRY(Url url, take_apart(handle.get(), reference));
  if (url.user.empty() && url.origin() == base.origin()) {
    url.user = base.user;
    url.password = base.password;
  }
  return url;
}

std::string escape_path(std::string_view path) {
  std::string escaped;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    if (plain)
      escaped += c;
    else
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return escaped;
}

}  // namespace quern::store
