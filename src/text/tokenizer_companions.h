// What lies beside the file of a tokenizer and says what the file does not: tokenizer_config.json,
// special_tokens_map.json, added_tokens.json, chat_template.jinja, and the model's config.json.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "text/surroundings.h"
#include "text/tokenizer_family.h"

namespace quern::text {

class TokenizerCompanions {
 public:
  using FindToken = std::function<std::optional<TokenId>(std::string_view token)>;

  // All of them may be missing. corrupt: one is no JSON object (the message names it), or its values are not what they
  // should be.
  static Result<TokenizerCompanions> read(const std::filesystem::path& folder);
  // From the contents of the files.
  TokenizerCompanions(nlohmann::json config, nlohmann::json roles, nlohmann::json added_tokens,
                      std::string model_type);

  // family_key of tokenizer_class, or else of the model's type; empty when neither says anything.
  const std::string& family() const { return family_; }
  // tokenizer_config.json with the roles that special_tokens_map.json and complete() added.
  std::string config_json() const;
  const nlohmann::json& config() const { return config_; }
  const std::string& chat_template() const { return chat_template_; }

  // Names the special tokens that the files leave to the family.
  void complete(const UsualRoles& roles);
  // "cls_token" and the like, as text.
  std::optional<std::string> role(const char* key) const;
  // "added_tokens" of tokenizer.json: all that the files and the roles name. Tokens that the vocabulary lacks (it ends
  // before the id `end`) come last. corrupt for an entry without text.
  Result<Json> added_tokens(const FindToken& find, int64_t end) const;
  // "post_processor" of tokenizer.json: the family's way, with the roles' ids in `added`. corrupt when a role that it
  // needs has no token.
  Result<Json> post_processor(const TokenizerFamily& family, const Json& added) const;

 private:
  nlohmann::json config_, added_;
  std::string chat_template_;
  std::string family_;
};

}  // namespace quern::text
