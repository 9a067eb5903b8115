// The ModelProto message of tokenizer.model.
#include <fmt/format.h>

#include "text/sentencepiece.h"
#include "text/wire_reader.h"

namespace quern::text {

namespace {
Error corrupt_message(std::string what) {
  return make_error(ErrorCode::corrupt, "SentencePiece model: " + std::move(what));
}

// Calls `read` for every field of a message.
template <class Read>
Result<void> for_each_field(std::string_view message, std::string_view name, const Read& read) {
  WireReader reader(message);
  while (const auto field = reader.next()) QUERN_CHECK(read(*field));
  if (!reader.ok()) return corrupt_message(fmt::format("the message {} is cut off or damaged", name));
  return {};
}

Result<Piece> read_piece(std::string_view message) {
  Piece piece;
  QUERN_CHECK(for_each_field(message, "SentencePiece", [&](const WireField& field) -> Result<void> {
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2) piece.score = field.as_float();
    if (field.number == 3) {
      if (field.value < 1 || field.value > 6)
        return corrupt_message(fmt::format("a piece has the type {}: expected 1 to 6", field.value));
      piece.type = static_cast<PieceType>(field.value);
    }
    return {};
  }));
  return piece;
}

Result<void> read_trainer(std::string_view message, SentencePieceModel& model) {
  return for_each_field(message, "TrainerSpec", [&](const WireField& field) -> Result<void> {
    switch (field.number) {
      case 3:
        if (field.value != 1 && field.value != 2) {
          return make_error(
              ErrorCode::unsupported,
              fmt::format("SentencePiece model: the model type {} is not supported", field.value),
              "supported: 1 (unigram) and 2 (BPE)");
        }
        model.kind = static_cast<SentencePieceModel::Kind>(field.value);
        break;
      case 24:
        model.whitespace_as_suffix = field.value != 0;
        break;
      case 35:
        model.byte_fallback = field.value != 0;
        break;
      case 41:
        model.bos = static_cast<TokenId>(field.value);
        break;
      case 42:
        model.eos = static_cast<TokenId>(field.value);
        break;
      case 43:
        model.pad = static_cast<TokenId>(field.value);
        break;
      case 44:
        model.unk_surface = field.bytes;
        break;
      default:
        break;
    }
    return {};
  });
}

Result<void> read_normalizer(std::string_view message, SentencePieceModel& model) {
  return for_each_field(message, "NormalizerSpec", [&](const WireField& field) -> Result<void> {
    if (field.number == 2) model.charsmap = field.bytes;
    if (field.number == 3) model.add_dummy_prefix = field.value != 0;
    if (field.number == 4) model.remove_extra_whitespaces = field.value != 0;
    if (field.number == 5) model.escape_whitespaces = field.value != 0;
    return {};
  });
}

Result<void> refuse_denormalizer(std::string_view message) {
  return for_each_field(message, "NormalizerSpec", [](const WireField& field) -> Result<void> {
    if (field.number != 2 || field.bytes.empty()) return {};
    return make_error(ErrorCode::unsupported, "SentencePiece model: a denormalizer is not supported");
  });
}
}  // namespace

Result<SentencePieceModel> SentencePieceModel::parse(std::string_view bytes) {
  SentencePieceModel model;
  QUERN_CHECK(for_each_field(bytes, "ModelProto", [&](const WireField& field) -> Result<void> {
    if (field.number == 1) {
      QUERN_TRY(Piece piece, read_piece(field.bytes));
      model.pieces.push_back(std::move(piece));
    }
    if (field.number == 2) return read_trainer(field.bytes, model);
    if (field.number == 3) return read_normalizer(field.bytes, model);
    if (field.number == 5) return refuse_denormalizer(field.bytes);
    return {};
  }));
  return model;
}

}  // namespace quern::text
