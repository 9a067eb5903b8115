#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "infer/predict_support.h"

namespace quern::infer {

namespace {

std::vector<Candidate> likeliest(std::span<const float> logits, int64_t top,
                                 const text::Tokenizer& tokenizer) {
  const std::vector<double> probabilities = softmax(logits);
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count = static_cast<std::ptrdiff_t>(std::min<size_t>(static_cast<size_t>(top), order.size()));
  std::ranges::partial_sort(order, order.begin() + count, [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  std::vector<Candidate> result;
  for (const int32_t token : std::span(order).first(static_cast<size_t>(count)))
    result.push_back(
        {token, tokenizer.decode(std::span(&token, 1)), probabilities[static_cast<size_t>(token)]});
  return result;
}

}  // namespace

Result<std::string> mask_token(const text::Tokenizer& tokenizer) {
  const auto config = nlohmann::json::parse(tokenizer.config_json(), nullptr, false);
  if (config.is_object() && config.contains("mask_token")) {
    const nlohmann::json& token = config["mask_token"];
    if (token.is_string()) return token.get<std::string>();
    if (token.is_object() && token.contains("content") && token["content"].is_string())
      return token["content"].get<std::string>();
  }
  const std::vector<std::string> special = tokenizer.special_tokens();
  for (const char* usual : {"[MASK]", "<mask>"}) {
    if (std::ranges::find(special, usual) != special.end()) return std::string(usual);
  }
  return make_error(ErrorCode::not_found, "the tokenizer has no mask token",
                    "name it under mask_token in tokenizer_config.json");
}

Result<std::vector<FilledMasks>> fill_masks(const EncoderSession& session, std::span<const std::string> texts,
                                            int64_t top, TooLong too_long, Progress& progress) {
  QUERN_CHECK(expect_head(session, model::Head::masked_lm));
  QUERN_TRY(const std::string mask, mask_token(session.tokenizer()));
  const auto id = session.tokenizer().token_to_id(mask);
  QUERN_TRY(const auto inputs, read_all(session, texts, too_long));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (std::ranges::any_of(inputs[i], [&](const EncoderToken& token) { return token.id == id; })) continue;
    return make_error(ErrorCode::invalid_argument, fmt::format("no {} is in the text \"{}\"", mask, texts[i]),
                      fmt::format("write {} where a word is to be found", mask));
  }
  std::vector<FilledMasks> results(texts.size());
  const auto receive = [&](size_t index, const Tensor& logits) {
    for (size_t t = 0; t < inputs[index].size(); ++t) {
      if (inputs[index][t].id == id)
        results[index].push_back(likeliest(row_of(logits, t), top, session.tokenizer()));
    }
  };
  session.run(inputs, true, receive, progress);
  return results;
}

}  // namespace quern::infer
