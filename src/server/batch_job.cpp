#include "server/batch_job.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "server/api_format.h"

namespace quern::server {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

}  // namespace

BatchJob::BatchJob(std::string id, fs::path folder, std::unique_ptr<BatchInput> input)
    : id_(std::move(id)),
      input_(std::move(input)),
      custom_ids_(input_->lines.size()),
      answered_(input_->lines.size()),
      output_path_(folder / (id_ + ".output.jsonl")),
      errors_path_(folder / (id_ + ".errors.jsonl")) {
  for (const auto& [custom_id, line] : input_->by_id) custom_ids_[line] = custom_id;
}

Result<std::unique_ptr<BatchJob>> BatchJob::open(std::string id, const fs::path& folder,
                                                 std::unique_ptr<BatchInput> input) {
  std::unique_ptr<BatchJob> job(new BatchJob(std::move(id), folder, std::move(input)));
  QUERN_CHECK(job->resume(job->output_path_, job->completed_));
  QUERN_CHECK(job->resume(job->errors_path_, job->failed_));
  for (size_t line = 0; line < job->total(); ++line) {
    if (!job->answered_[line]) job->waiting_.insert(line);
  }
  job->output_.open(job->output_path_, std::ios::app | std::ios::binary);
  if (!job->output_) return file_error("open", job->output_path_, errno);
  job->errors_.open(job->errors_path_, std::ios::app | std::ios::binary);
  if (!job->errors_) return file_error("open", job->errors_path_, errno);
  return job;
}

// Counts the rows that are whole, and cuts what a killed process left of another.
Result<void> BatchJob::resume(const fs::path& path, size_t& count) {
  if (!fs::exists(path)) return {};
  QUERN_TRY(const std::string text, read_file(path));
  size_t whole = 0;
  for (size_t end; (end = text.find('\n', whole)) != std::string::npos; whole = end + 1) {
    const Result<Json> row = parse_ordered_json(std::string_view(text).substr(whole, end - whole), id_);
    if (!row.ok() || !row->is_object()) break;
    const Json custom_id = row->value("custom_id", Json());
    const auto line =
        custom_id.is_string() ? input_->by_id.find(custom_id.get<std::string>()) : input_->by_id.end();
    if (line == input_->by_id.end() || answered_[line->second]) break;
    answered_[line->second] = true;
    ++count;
  }
  std::error_code failed;
  if (whole < text.size()) fs::resize_file(path, whole, failed);
  if (failed) return file_error("cut", path, failed.value());
  return {};
}

std::optional<size_t> BatchJob::take_line() {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.extract(waiting_.begin()).value();
}

std::string BatchJob::body(size_t line) const {
  Json body = Json::parse(input_->lines[line])["body"];
  body.erase("stream");  // nobody is there to listen
  return to_bytes(body);
}

Result<void> BatchJob::answer(size_t line, const HttpResponse& response) {
  const Result<Json> body = parse_ordered_json(response.body, "answer");
  const Json told = {{"status_code", response.status},
                     {"request_id", new_id("req_")},
                     {"body", body.ok() ? *body : Json(response.body)}};
  const bool good = response.status == 200;
  QUERN_CHECK(append(good ? output_ : errors_, good ? output_path_ : errors_path_, line, told, nullptr));
  ++(good ? completed_ : failed_);
  return {};
}

Result<void> BatchJob::give_up(std::string_view code, std::string_view message) {
  for (size_t line = 0; line < total(); ++line) {
    if (answered_[line]) continue;
    QUERN_CHECK(append(errors_, errors_path_, line, nullptr, {{"code", code}, {"message", message}}));
    ++failed_;
  }
  waiting_.clear();
  return {};
}

Result<void> BatchJob::append(std::ofstream& file, const fs::path& path, size_t line, const Json& response,
                              const Json& error) {
  const Json row = {{"id", new_id("batch_req_")},
                    {"custom_id", custom_ids_[line]},
                    {"response", response},
                    {"error", error}};
  file << to_bytes(row) << '\n' << std::flush;
  if (!file) return file_error("write", path, errno);
  answered_[line] = true;
  return {};
}

BatchJob::Files BatchJob::close() {
  output_.close();
  errors_.close();
  const auto kept = [](const fs::path& path) -> std::optional<fs::path> {
    std::error_code failed;
    if (fs::file_size(path, failed) > 0 && !failed) return path;
    fs::remove(path, failed);
    return std::nullopt;
  };
  return {.output = kept(output_path_), .errors = kept(errors_path_)};
}

}  // namespace quern::server
