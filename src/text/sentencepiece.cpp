#include "text/sentencepiece.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <unordered_map>

#include "base/base64.h"
#include "text/bpe.h"
#include "text/models/model_json.h"
#include "text/pipeline.h"
#include "text/sentencepiece_steps.h"
#include "text/tokenizer_json.h"
#include "text/unicode.h"
#include "text/unigram.h"

namespace quern::text {

namespace {
Error corrupt(std::string what) {
  return make_error(ErrorCode::corrupt, "SentencePiece model: " + std::move(what));
}

// Pieces that are matched in text.
bool is_matched(const Piece& piece) {
  return piece.type == PieceType::normal || piece.type == PieceType::user_defined;
}

// The id of the one unknown piece.
Result<TokenId> check(const SentencePieceModel& model) {
  TokenId unk = kNoToken;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const Piece& piece = model.pieces[id];
    if (piece.text.empty()) return corrupt(fmt::format("piece {} is empty", id));
    if (valid_utf8_prefix(piece.text) != piece.text.size())
      return corrupt(fmt::format("piece {} is not UTF-8", id));
    if (!(std::abs(piece.score) < std::numeric_limits<float>::max()))
      return corrupt(fmt::format("the score of piece {} is not a finite number", id));
    if (piece.type == PieceType::byte && !byte_of_piece(piece.text))
      return corrupt(
          fmt::format("piece {} stands for a byte, and is {:?}: expected <0x00> to <0xFF>", id, piece.text));
    if (piece.type != PieceType::unknown) continue;
    if (unk != kNoToken) return corrupt(fmt::format("both {} and {} are the unknown piece", unk, id));
    unk = static_cast<TokenId>(id);
  }
  if (unk == kNoToken) return corrupt("there is no unknown piece");
  return unk;
}

Result<Vocabulary> make_vocabulary(const SentencePieceModel& model) {
  Vocabulary vocabulary(false);
  const auto limit = static_cast<int64_t>(model.pieces.size());
  vocabulary.reserve(model.pieces.size());
  for (int64_t id = 0; id < limit; ++id) {
    auto added = vocabulary.add(model.pieces[static_cast<size_t>(id)].text, id, limit);
    if (!added.ok()) return std::move(added).error().within("SentencePiece model");
  }
  if (model.byte_fallback) {
    const auto bytes = find_byte_tokens(vocabulary);
    if (std::find(bytes.begin(), bytes.end(), kNoToken) != bytes.end())
      return corrupt("not all of <0x00> to <0xFF> are pieces, although byte_fallback is on");
  }
  return vocabulary;
}

// Symbols join to the piece of the highest score, leftmost first.
Result<std::unique_ptr<Model>> make_bpe(const SentencePieceModel& model, Vocabulary vocabulary) {
  std::vector<TokenId> order;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const Piece& piece = model.pieces[id];
    if (piece.type == PieceType::unused) {
      return make_error(
          ErrorCode::unsupported,
          fmt::format("SentencePiece model: piece {} is unused, which is not supported in BPE", id));
    }
    if (piece.type == PieceType::normal) order.push_back(static_cast<TokenId>(id));
  }
  const auto score = [&](TokenId id) { return model.pieces[static_cast<size_t>(id)].score; };
  // Files mostly have them in order.
  if (!std::ranges::is_sorted(order, std::greater{}, score))
    std::ranges::stable_sort(order, std::greater{}, score);
  std::vector<uint32_t> ranks(model.pieces.size(), Merge::kNever);
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && score(order[i]) != score(order[i - 1])) ++rank;
    ranks[static_cast<size_t>(order[i])] = rank;
  }
  BpeOptions options{.unk_token = std::nullopt, .fuse_unk = true, .byte_fallback = model.byte_fallback};
  for (const Piece& piece : model.pieces) {
    if (piece.type == PieceType::unknown) options.unk_token = piece.text;
  }
  QUERN_TRY(auto bpe, Bpe::create_by_spelling(std::move(vocabulary), std::move(ranks), std::move(options)));
  return std::unique_ptr<Model>(std::move(bpe));
}

// Symbols of the user outscore every other way to cut their characters.
Result<std::unique_ptr<Model>> make_unigram(const SentencePieceModel& model, Vocabulary vocabulary,
                                            TokenId unk) {
  float lowest = std::numeric_limits<float>::max(), highest = std::numeric_limits<float>::min();
  for (const Piece& piece : model.pieces) {
    if (piece.type != PieceType::normal) continue;
    lowest = std::min(lowest, piece.score);
    highest = std::max(highest, piece.score);
  }
  std::vector<double> scores;
  for (const Piece& piece : model.pieces) {
    const bool user = piece.type == PieceType::user_defined;
    const double bonus = static_cast<float>(piece.text.size()) * highest - 0.1;
    scores.push_back(!is_matched(piece) ? Unigram::kNeverChosen : user ? bonus : double{piece.score});
  }
  UnigramOptions options{.unk = unk, .byte_fallback = model.byte_fallback, .as_sentencepiece = true};
  options.unk_score = lowest - 10.0f;
  QUERN_TRY(auto unigram, Unigram::create(std::move(vocabulary), std::move(scores), options));
  return std::unique_ptr<Model>(std::move(unigram));
}

Json added_tokens(const SentencePieceModel& model) {
  Json list = Json::array();
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const Piece& piece = model.pieces[id];
    // A unigram model finds the symbols of the user by their scores.
    const bool user = piece.type == PieceType::user_defined && model.kind == SentencePieceModel::Kind::bpe;
    const bool special = piece.type == PieceType::control || piece.type == PieceType::unknown;
    if (!user && !special) continue;
    list.push_back({{"id", id},
                    {"content", piece.text},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", user},
                    {"special", special}});
  }
  return list;
}

// The nearest that tokenizer.json can say, for saving.
Json document_of(const SentencePieceModel& model) {
  const Json mark = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpaceMark}};
  Json normalizers = Json::array();
  if (!model.charsmap.empty())
    normalizers.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(model.charsmap)}});
  if (model.remove_extra_whitespaces) {
    normalizers.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
    normalizers.push_back({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}});
  }
  if (model.add_dummy_prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", kSpaceMark}});
  normalizers.push_back(mark);
  Json decoders = Json::array();
  decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", kSpaceMark}}}, {"content", " "}});
  decoders.push_back({{"type", "ByteFallback"}});
  decoders.push_back({{"type", "Fuse"}});
  if (model.add_dummy_prefix)
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_tokens(model)},
          {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
          {"model", nullptr}};
}

std::string config_of(const SentencePieceModel& model) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  const auto role = [&](const char* key, TokenId id) {
    if (id < 0 || static_cast<size_t>(id) >= model.pieces.size()) return;
    const Piece& piece = model.pieces[static_cast<size_t>(id)];
    if (piece.type == PieceType::control) config[key] = piece.text;
  };
  role("bos_token", model.bos);
  role("eos_token", model.eos);
  role("pad_token", model.pad);
  return config.dump(2) + "\n";
}
}  // namespace

Result<Pipeline> make_pipeline(const SentencePieceModel& model) {
  QUERN_TRY(const TokenId unk, check(model));
  QUERN_TRY(Vocabulary vocabulary, make_vocabulary(model));
  Pipeline pipeline;
  pipeline.document = document_of(model);
  const bool is_bpe = model.kind == SentencePieceModel::Kind::bpe;
  QUERN_TRY(pipeline.model, is_bpe ? make_bpe(model, std::move(vocabulary))
                                   : make_unigram(model, std::move(vocabulary), unk));
  QUERN_TRY(auto normalizer, make_sentencepiece_normalizer(model));
  pipeline.normalizers.push_back(std::move(normalizer));
  // The symbols stand for themselves, so that no normalizer concerns them.
  QUERN_TRY(pipeline.added,
            AddedTokens::load(pipeline.document["added_tokens"], pipeline.model->vocabulary(), {}));
  QUERN_TRY(pipeline.post_processor, PostProcessor::load(Json(), pipeline.id_end()));
  pipeline.decoders.steps.push_back(make_sentencepiece_decoder(model));
  return pipeline;
}

std::optional<uint8_t> byte_of_piece(std::string_view piece) {
  uint8_t byte = 0;
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece.back() != '>') return std::nullopt;
  const char* const end = piece.data() + 5;
  return std::from_chars(piece.data() + 3, end, byte, 16).ptr == end ? std::optional(byte) : std::nullopt;
}

Result<Tokenizer> make_tokenizer(const SentencePieceModel& model) {
  QUERN_TRY(Pipeline pipeline, make_pipeline(model));
  return Tokenizer::from_pipeline(std::move(pipeline), config_of(model));
}

}  // namespace quern::text
