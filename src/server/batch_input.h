// The file that a batch is asked by: a request on each line.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace quern::server {

inline constexpr size_t kMostBatchLines = 50'000;  // as OpenAI's

struct BatchInput {
  std::string text;                     // the whole file; `lines` are within it
  std::vector<std::string_view> lines;  // {"custom_id", "method": "POST", "url", "body"}
  std::map<std::string, size_t> by_id;  // custom_id -> line
  nlohmann::ordered_json errors = nlohmann::ordered_json::array();  // the first ones of a file that is wrong

  BatchInput() = default;
  BatchInput(const BatchInput&) = delete;  // of the lines in `text`
  BatchInput& operator=(const BatchInput&) = delete;
};

// Fills `input` from `text`: every line must be a request to `endpoint` with a custom_id of its own. Blank lines are
// passed over.
void read_batch_input(std::string text, std::string_view endpoint, BatchInput& input);

}  // namespace quern::server
