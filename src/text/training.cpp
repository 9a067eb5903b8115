#include "text/training.h"

#include <fmt/format.h>

#include <algorithm>

namespace quern::text {

namespace {
Error invalid(std::string message, std::string hint = {}) {
  return make_error(ErrorCode::invalid_argument, std::move(message), std::move(hint));
}

Json template_pieces(const std::vector<std::string>& pieces) {
  Json list = Json::array();
  for (std::string_view piece : pieces) {
    const int type = piece.ends_with(":1") ? 1 : 0;
    if (type == 1) piece.remove_suffix(2);
    const bool text = piece.starts_with('$');
    list.push_back({{text ? "Sequence" : "SpecialToken",
                     {{"id", std::string(text ? piece.substr(1) : piece)}, {"type_id", type}}}});
  }
  return list;
}
}  // namespace

Result<void> check_special_tokens(const std::vector<std::string>& tokens,
                                  const std::vector<TokenRole>& roles) {
  for (auto token = tokens.begin(); token != tokens.end(); ++token) {
    if (token->empty()) return invalid("a special token is empty");
    if (std::find(tokens.begin(), token, *token) != token)
      return invalid(fmt::format("the special token {:?} is given twice", *token));
  }
  for (const TokenRole& role : roles) {
    if (role.token && std::ranges::find(tokens, *role.token) == tokens.end())
      return invalid(fmt::format("{:?} is not one of the special tokens", *role.token),
                     "add it to special_tokens");
  }
  return {};
}

Result<void> check_vocab_size(int64_t vocab_size, int64_t least, std::string_view what) {
  if (vocab_size < least) {
    return invalid(fmt::format("a vocabulary of {} tokens is smaller than the alphabet: {} need {}",
                               vocab_size, what, least),
                   fmt::format("use a vocabulary size of at least {}", least));
  }
  constexpr int64_t kMost = 1 << 24;
  if (vocab_size > kMost)
    return invalid(fmt::format("a vocabulary of {} tokens: at most {} are possible", vocab_size, kMost));
  return {};
}

std::string training_config_json(const std::vector<TokenRole>& roles, const std::string& chat_template) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  for (const TokenRole& role : roles) {
    if (role.token) config[role.name] = *role.token;
  }
  if (!chat_template.empty()) config["chat_template"] = chat_template;
  return config.dump(2) + "\n";
}

Json surrounding_template(const std::vector<std::string>& single, const std::vector<std::string>& pair,
                          const std::vector<std::string>& tokens) {
  Json specials = Json::object();
  for (std::string_view piece : pair) {
    if (piece.starts_with('$')) continue;
    if (piece.ends_with(":1")) piece.remove_suffix(2);
    const auto id = std::ranges::find(tokens, piece) - tokens.begin();
    const std::string token(piece);
    specials[token] = {{"id", token}, {"ids", Json::array({id})}, {"tokens", Json::array({token})}};
  }
  return {{"type", "TemplateProcessing"},
          {"single", template_pieces(single)},
          {"pair", template_pieces(pair)},
          {"special_tokens", std::move(specials)}};
}

}  // namespace quern::text
