#include "text/tokenizer_companions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/file.h"
#include "base/json.h"

namespace quern::text {

namespace {

constexpr const char* kRoles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                  "pad_token", "cls_token", "mask_token"};

// An empty object when there is no such file.
Result<nlohmann::json> read_object(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return nlohmann::json::object();
  QUERN_TRY(nlohmann::json json, read_json_file(file));
  if (!json.is_object())
    return make_error(ErrorCode::corrupt, fmt::format("{}: not a JSON object", file.string()));
  return json;
}

// A token is its text, or an object with "content".
std::optional<std::string> text_of(const nlohmann::json& token) {
  const nlohmann::json text = token.is_object() ? token.value("content", nlohmann::json()) : token;
  return text.is_string() ? std::optional(text.get<std::string>()) : std::nullopt;
}

std::string string_of(const nlohmann::json& object, const char* key) {
  const nlohmann::json value = object.value(key, nlohmann::json());
  return value.is_string() ? value.get<std::string>() : std::string();
}

bool flag_of(const nlohmann::json& object, const char* key, bool fallback) {
  const nlohmann::json value = object.is_object() ? object.value(key, nlohmann::json()) : nlohmann::json();
  return value.is_boolean() ? value.get<bool>() : fallback;
}

struct AddedEntry {
  int64_t id = -1;  // none yet
  std::string text;
  nlohmann::json rules;  // an object with "lstrip" and the like, or something else without them
  bool special = false;
};

// Collects the tokens that files name, each once.
class AddedList {
 public:
  void add(int64_t id, std::string text, const nlohmann::json& rules, bool special) {
    const auto known = std::ranges::find(entries_, text, &AddedEntry::text);
    if (known == entries_.end()) {
      entries_.push_back({id, std::move(text), rules, special});
    } else {
      known->special = known->special || special;
    }
  }

  Json to_json(const TokenizerCompanions::FindToken& find, int64_t end) && {
    for (AddedEntry& entry : entries_) {
      const auto known = find(entry.text);
      if (known) entry.id = *known;
      if (!known && entry.id < end) entry.id = std::numeric_limits<TokenId>::max();
    }
    std::ranges::stable_sort(entries_, {}, &AddedEntry::id);
    Json list = Json::array();
    for (const AddedEntry& entry : entries_) {
      const bool is_new = entry.id >= end;
      list.push_back({{"id", is_new ? end : entry.id},
                      {"content", entry.text},
                      {"single_word", flag_of(entry.rules, "single_word", false)},
                      {"lstrip", flag_of(entry.rules, "lstrip", false)},
                      {"rstrip", flag_of(entry.rules, "rstrip", false)},
                      {"normalized", flag_of(entry.rules, "normalized", !entry.special)},
                      {"special", entry.special}});
      if (is_new) ++end;
    }
    return list;
  }

 private:
  std::vector<AddedEntry> entries_;
};

}  // namespace

Result<TokenizerCompanions> TokenizerCompanions::read(const std::filesystem::path& folder) {
  QUERN_TRY(nlohmann::json config, read_object(folder / "tokenizer_config.json"));
  QUERN_TRY(nlohmann::json roles, read_object(folder / "special_tokens_map.json"));
  QUERN_TRY(nlohmann::json added, read_object(folder / "added_tokens.json"));
  QUERN_TRY(const nlohmann::json model, read_object(folder / "config.json"));
  TokenizerCompanions companions(std::move(config), std::move(roles), std::move(added),
                                 string_of(model, "model_type"));
  std::error_code ignored;
  if (const auto file = folder / "chat_template.jinja"; std::filesystem::exists(file, ignored)) {
    QUERN_TRY(companions.chat_template_, read_file(file));
  }
  return companions;
}

TokenizerCompanions::TokenizerCompanions(nlohmann::json config, nlohmann::json roles,
                                         nlohmann::json added_tokens, std::string model_type)
    : config_(std::move(config)),
      added_(std::move(added_tokens)),
      family_(family_key(string_of(config_, "tokenizer_class"))) {
  if (family_.empty() || (family_ == "gpt2" && model_type == "opt")) family_ = family_key(model_type);
  for (const auto& [key, value] : roles.items()) {
    if (!config_.contains(key)) config_[key] = value;
  }
}

std::string TokenizerCompanions::config_json() const {
  return config_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void TokenizerCompanions::complete(const UsualRoles& roles) {
  const std::array usual = {roles.bos, roles.eos, roles.unk, roles.sep, roles.pad, roles.cls, roles.mask};
  for (size_t i = 0; i < usual.size(); ++i) {
    // Files that say null mean it.
    if (!usual[i].empty() && !config_.contains(kRoles[i])) config_[kRoles[i]] = std::string(usual[i]);
  }
  if (const auto mask = config_.find("mask_token");
      roles.mask_takes_space && mask != config_.end() && mask->is_string()) {
    *mask = {{"content", *mask}, {"lstrip", true}, {"normalized", false}};
  }
}

std::optional<std::string> TokenizerCompanions::role(const char* key) const {
  return text_of(config_.value(key, nlohmann::json()));
}

Result<Json> TokenizerCompanions::added_tokens(const FindToken& find, int64_t end) const {
  const auto wrong = [](const char* where, std::string_view token) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("{}: the token '{}' is not text with an id", where, token));
  };
  AddedList list;
  const nlohmann::json described = config_.value("added_tokens_decoder", nlohmann::json::object());
  for (const auto& [key, token] : described.items()) {
    TokenId id = -1;
    std::from_chars(key.data(), key.data() + key.size(), id);
    const auto text = text_of(token);
    if (id < 0 || !text) return wrong("tokenizer_config.json: added_tokens_decoder", key);
    list.add(id, *text, token, flag_of(token, "special", false));
  }
  for (const auto& [text, id] : added_.items()) {
    if (!id.is_number_unsigned() || id > std::numeric_limits<TokenId>::max())
      return wrong("added_tokens.json", text);
    list.add(id.get<int64_t>(), text, nlohmann::json(), false);
  }
  for (const char* key : kRoles) {
    if (const auto text = role(key)) list.add(-1, *text, config_[key], true);
  }
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    for (const nlohmann::json& token : config_.value(key, nlohmann::json::array())) {
      if (const auto text = text_of(token)) list.add(-1, *text, token, true);
    }
  }
  return std::move(list).to_json(find, end);
}

Result<Json> TokenizerCompanions::post_processor(const TokenizerFamily& family, const Json& added) const {
  const auto named = [&](const char* key) -> Result<NamedToken> {
    const auto text = role(key);
    for (const Json& token : added) {
      if (text && token["content"] == *text) return NamedToken{*text, token["id"].get<TokenId>()};
    }
    return make_error(ErrorCode::corrupt, fmt::format("tokenizer_config.json: there is no {}", key),
                      fmt::format("tokenizers of the kind {} stand it beside texts", family.name));
  };
  if (family.around == TokenizerFamily::Around::ends) {
    Surroundings around{.before = std::nullopt, .after = std::nullopt};
    if (flag_of(config_, "add_bos_token", family.adds_bos)) {
      QUERN_TRY(around.before, named("bos_token"));
    }
    if (flag_of(config_, "add_eos_token", family.adds_eos)) {
      QUERN_TRY(around.after, named("eos_token"));
    }
    return surroundings_json(around);
  }
  QUERN_TRY(const NamedToken sep, named("sep_token"));
  QUERN_TRY(const NamedToken cls, named("cls_token"));
  const bool is_bert = family.around == TokenizerFamily::Around::bert;
  Json json = {{"type", is_bert ? "BertProcessing" : "RobertaProcessing"},
               {"sep", {sep.text, sep.id}},
               {"cls", {cls.text, cls.id}}};
  if (!is_bert) {
    json["trim_offsets"] = true;
    json["add_prefix_space"] = flag_of(config_, "add_prefix_space", false);
  }
  return json;
}

}  // namespace quern::text
