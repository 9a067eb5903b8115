// OpenAI's /v1/files and /v1/batches: what lies in the data folder of a server, and its routes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "server/batch_runner.h"
#include "server/file_store.h"
#include "server/router.h"

namespace quern::server {

class BatchService {
 public:
  // In `folder`, which is made for its owner alone. Lines of batches may ask the POST routes of `lines`, whose patterns
  // are `endpoints`. unavailable where another process works there; errors of FileStore::open and BatchRunner::open.
  static Result<std::shared_ptr<BatchService>> open(const std::filesystem::path& folder, Router lines,
                                                    std::vector<std::string> endpoints,
                                                    const BatchRunner::Options& options);

  // Adds the routes, which keep `service`. What they refuse they throw as Exception.
  static void add_routes(Router& router, const std::shared_ptr<BatchService>& service);

 private:
  BatchService(FolderLock lock, Router lines, std::vector<std::string> endpoints)
      : lock_(std::move(lock)), lines_(std::move(lines)), endpoints_(std::move(endpoints)) {}

  nlohmann::ordered_json upload(const HttpRequest& request);
  nlohmann::ordered_json list_files(const HttpRequest& request) const;
  nlohmann::ordered_json file(const std::string& id, const HttpRequest& request) const;
  nlohmann::ordered_json remove_file(const std::string& id, const HttpRequest& request);
  nlohmann::ordered_json create(const HttpRequest& request);
  nlohmann::ordered_json list(const HttpRequest& request) const;

  FolderLock lock_;
  Router lines_;
  std::vector<std::string> endpoints_;
  std::shared_ptr<FileStore> files_;
  std::unique_ptr<BatchRunner> batches_;  // ends first: it asks `lines_`
};

}  // namespace quern::server
