#include "server/batch_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"

namespace quern::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostErrors = 20;
constexpr size_t kMostIdBytes = 512;

Json error(std::string_view code, std::string message, Json param, Json line) {
  return {{"code", code},
          {"message", std::move(message)},
          {"param", std::move(param)},
          {"line", std::move(line)}};
}

// Takes the line into `input`, or says what is wrong with it.
std::optional<Json> take_line(std::string_view line, size_t number, std::string_view endpoint,
                              BatchInput& input) {
  const Result<Json> parsed = parse_ordered_json(line, "line");
  if (!parsed.ok()) return error("invalid_json_line", parsed.error().message, nullptr, number);
  if (!parsed->is_object()) return error("invalid_json_line", "expected an object", nullptr, number);
  const auto field = [&](const char* key) { return parsed->value(key, Json()); };
  const Json id = field("custom_id");
  if (!id.is_string() || id.get_ref<const std::string&>().size() > kMostIdBytes)
    return error("missing_required_parameter",
                 fmt::format("custom_id must be a text of at most {} bytes", kMostIdBytes), "custom_id",
                 number);
  if (const Json method = field("method"); method != "POST")
    return error("invalid_method", fmt::format("method must be POST, got {}", json_excerpt(method)), "method",
                 number);
  if (const Json url = field("url"); url != endpoint)
    return error("mismatched_endpoint",
                 fmt::format("url must be the batch's {}, got {}", endpoint, json_excerpt(url)), "url",
                 number);
  if (!field("body").is_object())
    return error("missing_required_parameter", "body must be an object", "body", number);
  if (!input.by_id.emplace(id.get<std::string>(), input.lines.size()).second)
    return error("duplicate_custom_id", fmt::format("{} was there before", json_excerpt(id)), "custom_id",
                 number);
  input.lines.push_back(line);
  return std::nullopt;
}

}  // namespace

void read_batch_input(std::string text, std::string_view endpoint, BatchInput& input) {
  input.text = std::move(text);
  std::string_view rest = input.text;
  for (size_t number = 1; !rest.empty() && input.errors.size() < kMostErrors; ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (input.lines.size() == kMostBatchLines) {
      input.errors.push_back(error("too_many_requests",
                                   fmt::format("there may be {} requests in a batch", kMostBatchLines),
                                   nullptr, number));
      return;
    }
    if (auto wrong = take_line(line, number, endpoint, input)) input.errors.push_back(*std::move(wrong));
  }
  if (input.lines.empty() && input.errors.empty())
    input.errors.push_back(error("empty_file", "the file holds no requests", nullptr, nullptr));
}

}  // namespace quern::server
