#include "cli/reward_texts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/file.h"
#include "data/examples/example_renderer.h"
#include "data/examples/read_example.h"

namespace quern::cli {

namespace {

// What an answer says: a text, or the last of its messages.
std::string said(const nlohmann::ordered_json& answer) {
  if (answer.is_string()) return answer.get<std::string>();
  return answer.empty() ? "" : answer.back().value("content", "");
}

class Reader {
 public:
  explicit Reader(const infer::LoadedReward& reward) : reward_(reward) {}

  void text(const std::string& text) { texts_.push_back({text, reward_.tokenizer.encode(text)}); }

  Result<void> example(const std::string& row, const std::string& where) {
    const auto refuse = [&](const data::Refusal& refusal) {
      return make_error(ErrorCode::invalid_argument, fmt::format("{}: {}", where, refusal.what),
                        "expected \"text\", or an example that 'quern data prepare' reads");
    };
    data::Example example;
    if (const data::Refusal refusal = data::read_example(row, {}, example)) return refuse(refusal);
    if (!renderer_) {
      QUERN_TRY(renderer_,
                data::ExampleRenderer::create(
                    {reward_.tokenizer, reward_.templates, reward_.end_tokens, reward_.chat_bos}, {}));
    }
    std::vector<data::TokenDocument> documents;
    if (const data::Refusal refusal = renderer_->render(example, documents)) return refuse(refusal);
    for (size_t i = 0; i < documents.size(); ++i)
      texts_.push_back({said(i == 0 ? example.answer : example.rejected), std::move(documents[i].tokens)});
    return {};
  }

  std::vector<RewardText> take() { return std::move(texts_); }

 private:
  const infer::LoadedReward& reward_;
  std::optional<data::ExampleRenderer> renderer_;
  std::vector<RewardText> texts_;
};

}  // namespace

Result<std::vector<RewardText>> read_reward_texts(const TextInputs& inputs,
                                                  const infer::LoadedReward& reward) {
  Reader reader(reward);
  if (!inputs.data.ends_with(".jsonl")) {
    QUERN_TRY(const std::vector<std::string> texts, inputs.read());
    for (const std::string& text : texts) reader.text(text);
    return reader.take();
  }
  for (const std::string& text : inputs.texts) reader.text(text);
  QUERN_TRY(const std::string content, read_file(inputs.data));
  std::istringstream lines(content);
  std::string line;
  for (int64_t number = 1; std::getline(lines, line); ++number) {
    if (line.empty()) continue;
    const nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    if (row.is_object() && row.contains("text") && row["text"].is_string())
      reader.text(row["text"].get<std::string>());
    else
      QUERN_CHECK(reader.example(line, fmt::format("{}:{}", inputs.data, number)));
  }
  return reader.take();
}

}  // namespace quern::cli
