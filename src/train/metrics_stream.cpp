#include "train/metrics_stream.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace quern::train {

namespace {

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The whole rows of `text` up to and including step `last_step`.
std::string rows_until(const std::string& text, int64_t last_step) {
  std::string kept;
  for (size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    const auto row = nlohmann::json::parse(line, nullptr, false);
    if (row.is_object() && row.value("step", int64_t{0}) <= last_step) kept += line + "\n";
  }
  return kept;
}

}  // namespace

Result<MetricsStream> MetricsStream::open(const std::string& run_directory, int64_t resumed_step) {
  std::error_code status;
  std::filesystem::create_directories(run_directory, status);
  const std::string path = run_directory + "/metrics.jsonl";
  std::string kept;
  if (resumed_step > 0 && std::filesystem::exists(path)) {
    QUERN_TRY(const std::string text, read_file(path));
    kept = rows_until(text, resumed_step);
  }
  QUERN_CHECK(write_file_atomic(path, kept));
  QUERN_TRY(EventFile events, EventFile::create(run_directory + "/tensorboard",
                                                resumed_step > 0 ? resumed_step + 1 : 0, wall_time()));
  MetricsStream stream(path, std::move(events));
  QUERN_CHECK(stream.flush());
  return stream;
}

MetricsStream::MetricsStream(std::string path, EventFile events)
    : path_(std::move(path)), lines_(path_, std::ios::app), events_(std::move(events)) {}

void MetricsStream::write(const std::string& kind, int64_t step, const Metrics& metrics) {
  const double now = wall_time();
  nlohmann::ordered_json row = {{"kind", kind}, {"step", step}, {"time", now}};
  for (const auto& [name, value] : metrics) {
    row[name] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
    events_.scalar(kind + "/" + name, value, step, now);
  }
  lines_ << row.dump() << '\n';
}

void MetricsStream::sample(int64_t step, const std::string& prompt, const std::string& text) {
  const double now = wall_time();
  const nlohmann::ordered_json row = {
      {"kind", "sample"}, {"step", step}, {"time", now}, {"prompt", prompt}, {"text", text}};
  // Sampled text may end inside a character.
  lines_ << row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  events_.text("sample", prompt + text, step, now);
}

Result<void> MetricsStream::flush() {
  lines_.flush();
  if (!lines_)
    return make_error(ErrorCode::io, path_ + ": cannot write", "check the disk and its permissions");
  return events_.flush();
}

}  // namespace quern::train
