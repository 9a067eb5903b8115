#include "text/sentencepiece_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "text/pipeline.h"

namespace quern::text {

namespace {

using Pieces = TokenizerFamily::Pieces;

// fairseq's numbers: four pieces of its own in place of the model's <unk>, <s> and </s>, and a mask at the end.
Result<void> number_as_fairseq(SentencePieceModel& model) {
  if (model.pieces.size() < 3 ||
      std::ranges::any_of(model.pieces.begin() + 3, model.pieces.end(),
                          [](const Piece& piece) { return piece.type == PieceType::unknown; })) {
    return make_error(
        ErrorCode::unsupported,
        "the SentencePiece model does not begin with <unk>, <s> and </s> as those of fairseq do");
  }
  std::vector<Piece> pieces = {{"<s>", 0, PieceType::control},
                               {"<pad>", 0, PieceType::control},
                               {"</s>", 0, PieceType::control},
                               {"<unk>", 0, PieceType::unknown}};
  std::ranges::move(model.pieces.begin() + 3, model.pieces.end(), std::back_inserter(pieces));
  pieces.push_back({"<mask>", 0, PieceType::control});
  model.pieces = std::move(pieces);
  return {};
}

// T5's <extra_id_99> to <extra_id_0> behind the pieces, where the model has none.
void add_extra_ids(SentencePieceModel& model, const nlohmann::json& config) {
  constexpr int64_t kMost = 10'000;
  const nlohmann::json count = config.value("extra_ids", nlohmann::json(100));
  const bool has_some = std::ranges::any_of(
      model.pieces, [](const Piece& piece) { return piece.text.find("extra_id_") != std::string::npos; });
  if (has_some || !count.is_number_unsigned()) return;
  for (int64_t i = std::min(kMost, count.get<int64_t>()) - 1; i >= 0; --i)
    model.pieces.push_back({fmt::format("<extra_id_{}>", i), 0, PieceType::control});
}

// ALBERT's pieces such as "9," are so unlikely that they are cut before the comma.
void cut_numbers_before_commas(SentencePieceModel& model) {
  for (Piece& piece : model.pieces) {
    const std::string& text = piece.text;
    if (text.size() < 2 || text.back() != ',') continue;
    if (const char before = text[text.size() - 2]; before >= '0' && before <= '9') piece.score -= 100;
  }
}

// What a family does to a text before the model's own normalizer.
Json normalizers_of(const TokenizerFamily& family, const nlohmann::json& config) {
  const auto flag = [&](const char* key, bool usual) {
    return config.value(key, nlohmann::json(usual)) == true;
  };
  const auto replace = [](const char* from) {
    return Json{{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", "\""}};
  };
  Json list = Json::array();
  const bool is_albert = family.name == "albert";
  if (is_albert) {
    list.push_back(replace("``"));
    list.push_back(replace("''"));
    if (!flag("keep_accents", false)) {
      list.push_back({{"type", "NFKD"}});
      list.push_back({{"type", "StripAccents"}});
    }
  }
  if ((is_albert || family.name == "debertav2") && flag("do_lower_case", is_albert))
    list.push_back({{"type", "Lowercase"}});
  return list;
}

Result<void> prepare(SentencePieceModel& model, const TokenizerFamily& family, const nlohmann::json& config) {
  if (family.pieces == Pieces::fairseq) return number_as_fairseq(model);
  if (family.name == "t5" || family.name == "mt5") add_extra_ids(model, config);
  if (family.name == "albert") cut_numbers_before_commas(model);
  if (family.name == "debertav2" && config.value("split_by_punct", nlohmann::json()) == true) {
    return make_error(ErrorCode::unsupported, "tokenizer_config.json: split_by_punct is not supported",
                      "load and save the tokenizer once with transformers to get tokenizer.json");
  }
  return {};
}

// The tokens of the files, and those the model has beside them.
Result<Json> all_added_tokens(const Pipeline& pipeline, const TokenizerCompanions& companions) {
  const Vocabulary& vocabulary = pipeline.model->vocabulary();
  const auto find = [&](std::string_view token) -> std::optional<TokenId> {
    const TokenId id = vocabulary.find_token(std::string(token));
    return id == kNoToken ? std::nullopt : std::optional(id);
  };
  QUERN_TRY(Json list, companions.added_tokens(find, static_cast<int64_t>(vocabulary.id_end())));
  for (const Json& token : pipeline.document["added_tokens"]) {
    const bool known = std::ranges::any_of(list, [&](const Json& t) { return t["id"] == token["id"]; });
    if (!known) list.push_back(token);
  }
  std::vector<Json> sorted(list.begin(), list.end());
  std::ranges::stable_sort(sorted, {}, [](const Json& token) { return token["id"].get<int64_t>(); });
  return Json(sorted);
}

}  // namespace

Result<Tokenizer> make_tokenizer(SentencePieceModel model, TokenizerCompanions companions) {
  if (companions.family().empty()) return make_tokenizer(model);
  const TokenizerFamily* const family = find_tokenizer_family(companions.family());
  if (family == nullptr || family->pieces == Pieces::none) {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("a SentencePiece model of a tokenizer of the kind '{}' is not supported",
                    companions.family()),
        fmt::format("known: {}. Loading and saving the tokenizer once with transformers gives tokenizer.json",
                    families_of_pieces()));
  }
  companions.complete(family->roles);
  QUERN_CHECK(prepare(model, *family, companions.config()));
  QUERN_TRY(Pipeline pipeline, make_pipeline(model));
  const Json before = normalizers_of(*family, companions.config());
  QUERN_TRY(Normalizers first, make_normalizers({{"type", "Sequence"}, {"normalizers", before}}));
  std::ranges::move(first, std::inserter(pipeline.normalizers, pipeline.normalizers.begin()));
  Json& steps = pipeline.document["normalizer"]["normalizers"];
  steps.insert(steps.begin(), before.begin(), before.end());
  QUERN_TRY(const Json added, all_added_tokens(pipeline, companions));
  QUERN_TRY(pipeline.added, AddedTokens::load(added, pipeline.model->vocabulary(), {}));
  QUERN_TRY(const Json around, companions.post_processor(*family, added));
  QUERN_TRY(pipeline.post_processor, PostProcessor::load(around, pipeline.id_end()));
  pipeline.document["added_tokens"] = added;
  pipeline.document["post_processor"] = around;
  return Tokenizer::from_pipeline(std::move(pipeline), companions.config_json(), companions.chat_template());
}

}  // namespace quern::text
