// A batch that is being answered: which lines are, and what the answers were, on disk.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/batch_input.h"
#include "server/http_message.h"

namespace quern::server {

// Rows of answers are appended to <folder>/<id>.output.jsonl, and of what failed to <id>.errors.jsonl, as they come: a job
// that is opened again goes on behind them. For one thread.
class BatchJob {
 public:
  // Reads what was answered before. Precondition: the input has no errors. Errors of the file system.
  static Result<std::unique_ptr<BatchJob>> open(std::string id, const std::filesystem::path& folder,
                                                std::unique_ptr<BatchInput> input);

  const std::string& id() const { return id_; }
  size_t total() const { return input_->lines.size(); }
  size_t completed() const { return completed_; }
  size_t failed() const { return failed_; }
  bool answered() const { return completed_ + failed_ == total(); }

  // A line that nobody asks yet, which is asked now.
  std::optional<size_t> take_line();
  // It could not be answered now.
  void put_back(size_t line) { waiting_.insert(line); }
  // The "body" of a line, as text, for an answer in one piece.
  std::string body(size_t line) const;

  // What a line was answered. Errors of the file system.
  Result<void> answer(size_t line, const HttpResponse& response);
  // Gives up what is not answered, for a reason: {"code", "message"}.
  Result<void> give_up(std::string_view code, std::string_view message);

  // Nothing is appended any more. Files that hold nothing are not there.
  struct Files {
    std::optional<std::filesystem::path> output, errors;
  };
  Files close();

 private:
  BatchJob(std::string id, std::filesystem::path folder, std::unique_ptr<BatchInput> input);
  Result<void> resume(const std::filesystem::path& path, size_t& count);
  Result<void> append(std::ofstream& file, const std::filesystem::path& path, size_t line,
                      const nlohmann::ordered_json& response, const nlohmann::ordered_json& error);

  std::string id_;
  std::unique_ptr<BatchInput> input_;
  std::vector<std::string> custom_ids_;
  std::vector<bool> answered_;
  std::set<size_t> waiting_;
  size_t completed_ = 0, failed_ = 0;
  std::filesystem::path output_path_, errors_path_;
  std::ofstream output_, errors_;
};

}  // namespace quern::server
