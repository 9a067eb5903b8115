#include "server/page.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "base/assets.h"
#include "base/exception.h"
#include "base/hash.h"
#include "server/api_error.h"

namespace quern::assets {
extern const std::span<const File> page_files;
}  // namespace quern::assets

namespace quern::server {

namespace {

constexpr std::string_view kIndex = "index.html";

// What is shown comes from this server, and HTML is made by DOMPurify alone. Pictures may be inside a text (data:).
constexpr std::string_view kPolicy =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify";

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kTypes{{
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
}};

std::string_view type_of(std::string_view path) {
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return type;
  }
  throw InternalError(fmt::format("the page has a file of unknown type, {}", path));
}

// An ETag among those of If-None-Match, or "*"; weak ones hold as well (RFC 9110 section 13.1.2).
bool is_known(std::string_view if_none_match, std::string_view etag) {
  return if_none_match == "*" || if_none_match.find(etag) != std::string_view::npos;
}

HttpResponse response_of(const assets::File& file) {
  HttpResponse response{
      .content_type = std::string(type_of(file.path)), .body = std::string(*file.bytes), .headers = {}};
  response.headers = {
      {"ETag", fmt::format("\"{}\"", hash128(*file.bytes).hex())},
      {"Cache-Control", "no-cache"},  // kept, and asked about: another version may run tomorrow
      {"Content-Security-Policy", std::string(kPolicy)},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"}};
  return response;
}

std::string path_of(const assets::File& file) {
  return file.path == kIndex ? "/" : fmt::format("/page/{}", file.path);
}

}  // namespace

void add_page(Router& router) {
  const auto files = std::make_shared<std::map<std::string, HttpResponse>>();
  for (const assets::File& file : assets::page_files) files->emplace(path_of(file), response_of(file));
  const auto answer = [files](const HttpRequest& request, const PathParameters&,
                              const std::shared_ptr<HttpReply>& reply) {
    const auto found = files->find(request.path);
    if (found == files->end())
      return reply->send(to_response(api_error(404, "the page has no such file", "unknown_url")));
    const HttpHeaders& headers = found->second.headers;
    if (is_known(request.header("if-none-match"), headers.at("ETag")))
      return reply->send({.status = 304, .content_type = "", .headers = headers});
    reply->send(found->second);
  };
  router.add("GET", "/", answer);
  router.add("GET", "/page/{file...}", answer);
}

std::set<std::string, std::less<>> page_paths() {
  std::set<std::string, std::less<>> paths;
  for (const assets::File& file : assets::page_files) paths.insert(path_of(file));
  return paths;
}

}  // namespace quern::server
