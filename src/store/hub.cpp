#include "store/hub.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "store/environment.h"
#include "store/safe_path.h"
#include "store/sha256.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

constexpr const char* kDefaultEndpoint = "https://huggingface.co";
constexpr uint64_t kMaxListing = uint64_t{64} << 20;
constexpr uint64_t kMaxToken = 4096;

bool is_true(const std::string& value) {
  return value == "1" || value == "ON" || value == "on" || value == "YES" || value == "yes" ||
         value == "TRUE" || value == "True" || value == "true";
}

fs::path token_path() {
  if (const std::string path = environment("HF_TOKEN_PATH"); !path.empty()) return path;
  if (const std::string home = environment("HF_HOME"); !home.empty()) return fs::path(home) / "token";
  const std::string cache = environment("XDG_CACHE_HOME");
  const fs::path root = cache.empty() ? fs::path(environment("HOME")) / ".cache" : fs::path(cache);
  return root / "huggingface" / "token";
}

std::string stripped(std::string text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.pop_back();
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.erase(0, 1);
  return text;
}

std::string find_token() {
  if (const std::string token = stripped(environment("HF_TOKEN")); !token.empty()) return token;
  const Result<std::string> file = read_file(token_path(), kMaxToken);
  return file.ok() ? stripped(*file) : std::string();
}

}  // namespace

Result<HubSettings> hub_settings() {
  if (is_true(environment("HF_HUB_OFFLINE"))) {
    return make_error(ErrorCode::unavailable, "HF_HUB_OFFLINE is set: the hub is not asked for anything",
                      "unset it, or pull a local file or folder");
  }
  std::string endpoint = environment("HF_ENDPOINT");
  if (endpoint.empty()) endpoint = kDefaultEndpoint;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  Result<Url> url = parse_url(endpoint);
  if (!url.ok()) return std::move(url).error().within("HF_ENDPOINT");
  if (url->path == "/") url->path.clear();
  return HubSettings{*std::move(url), find_token()};
}

Result<HubListing> parse_hub_listing(std::string_view text, std::string_view source) {
  QUERN_TRY(const nlohmann::json document, parse_json(text, source));
  HubListing listing;
  QUERN_TRY(listing.commit, json_get<std::string>(document, "sha", source));
  const auto siblings = document.find("siblings");
  if (siblings == document.end() || !siblings->is_array()) {
    return make_error(ErrorCode::corrupt, fmt::format("{}: siblings: expected a list", source));
  }
  for (const nlohmann::json& sibling : *siblings) {
    HubFile file;
    QUERN_TRY(file.path, json_get<std::string>(sibling, "rfilename", source));
    if (!is_safe_path(file.path)) {
      return make_error(ErrorCode::corrupt, fmt::format("{}: '{}' is no name for a file", source, file.path));
    }
    if (const auto lfs = sibling.find("lfs"); lfs != sibling.end() && lfs->is_object()) {
      QUERN_TRY(file.sha256, json_get<std::string>(*lfs, "sha256", source));
      if (!is_sha256(file.sha256)) {
        return make_error(ErrorCode::corrupt,
                          fmt::format("{}: {}: '{}' is no SHA-256", source, file.path, file.sha256));
      }
    }
    QUERN_TRY(file.size, json_get<uint64_t>(sibling, "size", source));
    listing.files.push_back(std::move(file));
  }
  return listing;
}

Request Hub::request(const std::string& path) const {
  Request request = request_for(settings_.endpoint);
  const size_t query = path.find('?');
  request.url.path = settings_.endpoint.path + path.substr(0, query);
  request.url.query = query == std::string::npos ? "" : path.substr(query + 1);
  request.credentials.bearer = settings_.token;
  return request;
}

Result<HubListing> Hub::list(const std::string& repo, const std::string& revision) {
  // A branch such as refs/pr/1 is one segment of the path.
  std::string branch = escape_path(revision.empty() ? "main" : revision);
  for (size_t slash = branch.find('/'); slash != std::string::npos; slash = branch.find('/'))
    branch.replace(slash, 1, "%2F");
  Result<Response> response =
      client_.get(request(fmt::format("/api/models/{}/revision/{}?blobs=true", repo, branch)), kMaxListing);
  if (!response.ok()) return explain(std::move(response).error(), repo, revision);
  return parse_hub_listing(response->body, "hf:" + repo);
}

Request Hub::file_request(const std::string& repo, const std::string& commit, const std::string& path) const {
  return request(fmt::format("/{}/resolve/{}/{}", repo, escape_path(commit), escape_path(path)));
}

Error Hub::explain(Error error, const std::string& repo, const std::string& revision) const {
  const std::string page = fmt::format("{}/{}", settings_.endpoint.display(), repo);
  if (error.code == ErrorCode::permission && settings_.token.empty()) {
    error.hint = fmt::format(
        "no such repository, or a private or gated one: check the spelling, accept its terms at {}, and set "
        "HF_TOKEN",
        page);
  } else if (error.code == ErrorCode::permission) {
    error.hint = fmt::format(
        "the token was sent, but gives no access: accept the terms at {}, or use the token of "
        "someone who has access",
        page);
  } else if (error.code == ErrorCode::not_found) {
    error.hint =
        revision.empty()
            ? fmt::format("check the spelling of '{}'; private repositories need HF_TOKEN", repo)
            : fmt::format("check the spelling of '{}', and that it has the revision '{}'", repo, revision);
  }
  return std::move(error).within("hf:" + repo);
}

}  // namespace quern::store
