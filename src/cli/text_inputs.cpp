#include "cli/text_inputs.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"

namespace quern::cli {

void TextInputs::define(CommandLine& line) {
  line.app().add_option("TEXT", texts, "texts");
  line.app().add_option("--data", data,
                        "texts from a file: one per line, or .jsonl with \"text\"; - reads stdin");
}

Result<std::vector<std::string>> TextInputs::read() const {
  std::vector<std::string> all = texts;
  if (!data.empty()) {
    QUERN_TRY(const std::string content, read_file(data == "-" ? "/dev/stdin" : data));
    std::istringstream lines(content);
    std::string line;
    for (int64_t number = 1; std::getline(lines, line); ++number) {
      if (line.ends_with('\r')) line.pop_back();
      if (line.empty()) continue;
      if (!data.ends_with(".jsonl")) {
        all.push_back(line);
        continue;
      }
      const nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
      if (!row.is_object() || !row.contains("text") || !row["text"].is_string()) {
        return make_error(
            ErrorCode::invalid_argument,
            fmt::format("{}:{}: expected a line of the form {{\"text\": \"...\"}}", data, number));
      }
      all.push_back(row["text"].get<std::string>());
    }
  }
  if (all.empty())
    return make_error(ErrorCode::invalid_argument, "no text was given", "add texts, or --data FILE");
  return all;
}

}  // namespace quern::cli
