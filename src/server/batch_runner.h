// Answers batches in the background, a few lines at a time, through the handlers that answer everybody.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "server/batch.h"
#include "server/batch_job.h"
#include "server/file_store.h"
#include "server/http_server.h"

namespace quern::server {

// Batches lie in a folder, <id>.json each: those that a process left unfinished go on in the next one. Lines are asked in
// turns of the batches, with a priority below that of all who wait for their answers. Thread-safe.
class BatchRunner {
 public:
  struct Options {
    size_t lines = 16;  // that are answered at a time
    size_t unfinished_per_owner = 100;
    size_t finished_per_owner = 1000;  // that are remembered
    int64_t seconds = 24 * 60 * 60;    // until a batch expires
  };
  // `answer` takes the requests of lines, as an HttpServer's handler does; it and `files` must outlive the runner. Errors
  // of the file system.
  static Result<std::unique_ptr<BatchRunner>> open(std::filesystem::path folder,
                                                   std::shared_ptr<FileStore> files,
                                                   HttpServer::Handler answer, const Options& options);
  // Batches stay where they are.
  ~BatchRunner();

  // Needs caller, endpoint, input_file and metadata. unavailable where a limit is reached; errors of the file system.
  Result<Batch> create(Batch batch);
  std::optional<Batch> find(const std::string& id, const std::string& owner) const;
  std::vector<Batch> list(const std::string& owner) const;  // the newest first
  // Lines that are answered stay so. not_found; conflict where it is over.
  Result<Batch> cancel(const std::string& id, const std::string& owner);
  // An unfinished batch reads this file.
  bool reads(const std::string& file) const;

 private:
  struct Inbox;
  class LineReply;
  struct Running {
    std::unique_ptr<BatchJob> job;
    std::shared_ptr<const Caller> caller;
    std::string endpoint;
    std::map<size_t, std::weak_ptr<LineReply>> replies;  // of lines that are being answered
  };

  BatchRunner(std::filesystem::path folder, std::shared_ptr<FileStore> files, HttpServer::Handler answer,
              const Options& options);
  Result<void> load();
  Result<void> save(const Batch& batch) const;
  Batch change(const std::string& id, const std::function<void(Batch&)>& change);
  void forget_old(const std::string& owner);
  std::vector<std::string> take_queued();
  void run();
  void start(const std::string& id);
  void take_answers();
  void settle();
  bool settle(Running& running);
  void finish(Running& running, BatchStatus status);
  void fail(const std::string& id, const Error& error);
  void ask_lines();
  void ask(Running& running, size_t line);

  const std::filesystem::path folder_;
  std::shared_ptr<FileStore> files_;
  HttpServer::Handler answer_;
  const Options options_;
  std::shared_ptr<Inbox> inbox_;  // its mutex guards all that follows, but for running_
  std::map<std::string, Batch> batches_;
  std::deque<std::string> queued_;
  bool stopping_ = false;
  std::deque<Running> running_;                       // of the runner's thread; the next in turn first
  size_t asked_ = 0;                                  // lines that are being answered
  std::chrono::steady_clock::time_point pause_ = {};  // too many wait until then
  std::thread thread_;
};

}  // namespace quern::server
