#include "server/batch_service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "base/exception.h"
#include "base/json.h"
#include "server/api_format.h"
#include "server/multipart.h"
#include "text/unicode.h"

namespace quern::server {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kMostNameBytes = 255;

std::string owner_of(const HttpRequest& request) {
  return request.caller == nullptr ? std::string() : request.caller->name;
}

Json file_json(const StoredFile& file) {
  return {{"id", file.id},
          {"object", "file"},
          {"bytes", file.bytes},
          {"created_at", file.created},
          {"filename", file.filename},
          {"purpose", file.purpose},
          {"status", "processed"}};
}

// A whole number of the query, at most `most`.
size_t read_limit(const HttpRequest& request, size_t otherwise, size_t most) {
  const auto found = request.query.find("limit");
  if (found == request.query.end()) return otherwise;
  const std::string& text = found->second;
  size_t limit = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (status != std::errc() || end != text.data() + text.size() || limit < 1 || limit > most)
    throw Exception(wrong_value("limit", fmt::format("an integer in [1, {}]", most), text));
  return limit;
}

// {"object": "list", "data": ...} of the rows behind the query's "after", `limit` of them.
Json page_of(const Json& rows, const HttpRequest& request, size_t limit) {
  auto begin = rows.begin();
  if (const auto after = request.query.find("after");
      after != request.query.end() && !after->second.empty()) {
    begin = std::ranges::find_if(rows, [&](const Json& row) { return row["id"] == after->second; });
    if (begin == rows.end()) throw Exception(wrong_value("after", "an id of the list", after->second));
    ++begin;
  }
  const auto count = std::min(limit, static_cast<size_t>(rows.end() - begin));
  const Json page(begin, begin + static_cast<std::ptrdiff_t>(count));
  return {{"object", "list"},
          {"data", page},
          {"first_id", page.empty() ? Json(nullptr) : page.front()["id"]},
          {"last_id", page.empty() ? Json(nullptr) : page.back()["id"]},
          {"has_more", begin + static_cast<std::ptrdiff_t>(count) != rows.end()}};
}

Exception refused(const std::string& message, const std::string& hint = {}) {
  return Exception(make_error(ErrorCode::invalid_argument, "request: " + message, hint));
}

Json read_metadata(const Json& body) {
  Json metadata = body.value("metadata", Json());
  const bool texts = metadata.is_object() && metadata.size() <= 16 &&
                     std::ranges::all_of(metadata, [](const Json& value) { return value.is_string(); });
  if (!metadata.is_null() && !texts)
    throw Exception(wrong_value("metadata", "an object of at most 16 texts", metadata));
  return metadata;
}

}  // namespace

Result<std::shared_ptr<BatchService>> BatchService::open(const fs::path& folder, Router lines,
                                                         std::vector<std::string> endpoints,
                                                         const BatchRunner::Options& options) {
  QUERN_CHECK(make_directories(folder));
  std::error_code failed;
  fs::permissions(folder, fs::perms::owner_all, failed);
  if (failed) return file_error("protect", folder, failed.value());
  QUERN_TRY(FolderLock lock, FolderLock::acquire(folder));
  std::shared_ptr<BatchService> service(
      new BatchService(std::move(lock), std::move(lines), std::move(endpoints)));
  QUERN_TRY(service->files_, FileStore::open(folder / "files", {}));
  const auto answer = [raw = service.get()](HttpRequest request, const std::shared_ptr<HttpReply>& reply) {
    raw->lines_.handle(std::move(request), reply);
  };
  QUERN_TRY(service->batches_, BatchRunner::open(folder / "batches", service->files_, answer, options));
  return service;
}

Json BatchService::upload(const HttpRequest& request) {
  std::optional<FormPart> file;
  std::string purpose;
  const std::vector<FormPart> parts = parse_form(request.header("content-type"), request.body).value();
  for (const FormPart& part : parts) {
    if (part.name == "file") file = part;
    if (part.name == "purpose") purpose = part.content;
  }
  if (!file) throw refused("the form has no file", "send the parts file and purpose");
  if (purpose != "batch") throw Exception(wrong_value("purpose", "\"batch\"", purpose));
  if (file->content.empty()) throw refused("the file is empty");
  const std::string name = text::repair_utf8(file->filename.substr(0, kMostNameBytes)).text;
  return file_json(files_
                       ->add({.id = {},
                              .owner = owner_of(request),
                              .filename = name.empty() ? "file.jsonl" : name,
                              .purpose = purpose},
                             file->content)
                       .value());
}

Json BatchService::list_files(const HttpRequest& request) const {
  const auto purpose = request.query.find("purpose"), order = request.query.find("order");
  Json rows = Json::array();
  for (const StoredFile& file : files_->list(owner_of(request))) {
    if (purpose == request.query.end() || purpose->second == file.purpose) rows.push_back(file_json(file));
  }
  if (order != request.query.end() && order->second == "asc") std::ranges::reverse(rows);
  return page_of(rows, request, read_limit(request, 10'000, 10'000));
}

Json BatchService::file(const std::string& id, const HttpRequest& request) const {
  const auto found = files_->find(id, owner_of(request));
  if (!found)
    throw Exception(make_error(ErrorCode::not_found, fmt::format("there is no file {}", json_excerpt(id))));
  return file_json(*found);
}

Json BatchService::remove_file(const std::string& id, const HttpRequest& request) {
  if (batches_->reads(id))
    throw Exception(make_error(
        ErrorCode::conflict, fmt::format("a batch reads the file {}", json_excerpt(id)), "cancel it first"));
  files_->remove(id, owner_of(request)).value();
  return {{"id", id}, {"object", "file"}, {"deleted", true}};
}

Json BatchService::create(const HttpRequest& request) {
  const Json body = body_of(request);
  if (!body.is_object()) throw Exception(wrong_value("the body", "an object", body));
  const Json input = body.value("input_file_id", Json()), endpoint = body.value("endpoint", Json()),
             window = body.value("completion_window", Json());
  if (!input.is_string()) throw Exception(wrong_value("input_file_id", "the id of a file", input));
  const StoredFile source = [&] {
    const auto found = files_->find(input.get<std::string>(), owner_of(request));
    if (!found)
      throw Exception(
          make_error(ErrorCode::not_found, fmt::format("there is no file {}", json_excerpt(input))));
    return *found;
  }();
  if (source.purpose != "batch") throw refused(fmt::format("the file {} is not for batches", source.id));
  const std::string wanted = endpoint.is_string() ? endpoint.get<std::string>() : std::string();
  if (std::ranges::find(endpoints_, wanted) == endpoints_.end())
    throw Exception(wrong_value("endpoint", fmt::format("one of {}", fmt::join(endpoints_, ", ")), endpoint));
  if (window != "24h") throw Exception(wrong_value("completion_window", "\"24h\"", window));
  Batch batch;
  if (request.caller != nullptr) batch.caller = *request.caller;
  batch.endpoint = wanted;
  batch.input_file = source.id;
  batch.metadata = read_metadata(body);
  return batches_->create(std::move(batch)).value().to_json();
}

Json BatchService::list(const HttpRequest& request) const {
  Json rows = Json::array();
  for (const Batch& batch : batches_->list(owner_of(request))) rows.push_back(batch.to_json());
  return page_of(rows, request, read_limit(request, 20, 100));
}

void BatchService::add_routes(Router& router, const std::shared_ptr<BatchService>& service) {
  using Make = std::function<Json(BatchService&, const HttpRequest&, const PathParameters&)>;
  const auto add = [&](const char* method, const char* path, Make make) {
    router.add(method, path,
               [service, make = std::move(make)](const HttpRequest& request, const PathParameters& parameters,
                                                 const std::shared_ptr<HttpReply>& reply) {
                 send_json(*reply, make(*service, request, parameters));
               });
  };
  add("POST", "/v1/files",
      [](BatchService& self, const HttpRequest& request, const auto&) { return self.upload(request); });
  add("GET", "/v1/files",
      [](BatchService& self, const HttpRequest& request, const auto&) { return self.list_files(request); });
  add("GET", "/v1/files/{id}",
      [](BatchService& self, const HttpRequest& request, const PathParameters& path) {
        return self.file(path.at("id"), request);
      });
  add("DELETE", "/v1/files/{id}",
      [](BatchService& self, const HttpRequest& request, const PathParameters& path) {
        return self.remove_file(path.at("id"), request);
      });
  router.add("GET", "/v1/files/{id}/content",
             [service](const HttpRequest& request, const PathParameters& path, const auto& reply) {
               reply->send({.status = 200,
                            .content_type = "application/octet-stream",
                            .body = service->files_->content(path.at("id"), owner_of(request)).value(),
                            .headers = {}});
             });
  add("POST", "/v1/batches",
      [](BatchService& self, const HttpRequest& request, const auto&) { return self.create(request); });
  add("GET", "/v1/batches",
      [](BatchService& self, const HttpRequest& request, const auto&) { return self.list(request); });
  add("GET", "/v1/batches/{id}",
      [](BatchService& self, const HttpRequest& request, const PathParameters& path) {
        const auto found = self.batches_->find(path.at("id"), owner_of(request));
        if (!found)
          throw Exception(make_error(ErrorCode::not_found,
                                     fmt::format("there is no batch {}", json_excerpt(path.at("id")))));
        return found->to_json();
      });
  add("POST", "/v1/batches/{id}/cancel",
      [](BatchService& self, const HttpRequest& request, const PathParameters& path) {
        return self.batches_->cancel(path.at("id"), owner_of(request)).value().to_json();
      });
}

}  // namespace quern::server
