#include "text/pipeline.h"

#include <fmt/format.h>

#include "base/exception.h"
#include "text/byte_alphabet.h"
#include "text/unicode.h"

namespace quern::text {

std::optional<TokenId> Pipeline::find(std::string_view token) const {
  if (const AddedToken* known = added.find(token)) return known->id;
  const TokenId id = model->vocabulary().find_token(token);
  return id == kNoToken ? std::nullopt : std::optional(id);
}

std::optional<std::string> Pipeline::token_of(TokenId id) const {
  if (const AddedToken* known = added.find(id)) return known->form;
  return model->vocabulary().token(id);
}

// What a token gives to a byte-level decoder: a token with other characters than the byte alphabet stands for itself.
void Pipeline::append_bytes(TokenId id, std::string& out) const {
  const Vocabulary& vocabulary = model->vocabulary();
  const AddedToken* known = added.find(id);
  if (!known && vocabulary.byte_level()) {
    out += vocabulary.bytes(id);
    return;
  }
  const std::string token = known ? known->form : vocabulary.token(id).value_or("");
  out += from_byte_characters(token).value_or(token);
}

template <class OnToken, class OnSegment>
void Pipeline::walk(std::string_view text, const SpecialRules& special, bool track, const OnToken& on_token,
                    const OnSegment& on_segment) const {
  track = track || (!special.plain.empty() && !added.normalized().empty());
  const auto walk_normalized = [&](Segment& segment) {
    if (added.normalized().empty()) return on_segment(segment);
    // Normalisation makes special tokens of much that only resembles them. Where some of the text is not
    // trusted, they have to stand there letter for letter.
    const auto is_special = [&](Span span) {
      if (special.plain.empty()) return special.allow;
      const Span origin = segment.origin_of(span);
      return special.allows(origin) &&
             text.substr(origin.begin, origin.end - origin.begin) == segment.view(span);
    };
    added.normalized().scan(segment.text(), is_special, [&](Span span, const AddedToken* token) {
      Segment part(segment, span);
      if (token) {
        on_token(*token, part, Span{0, span.end - span.begin});
      } else {
        on_segment(part);
      }
    });
  };
  const auto is_special = [&](Span span) { return special.allows(span); };
  added.raw().scan(text, is_special, [&](Span span, const AddedToken* token) {
    Segment segment(text.substr(span.begin, span.end - span.begin), span.begin, track);
    if (token) return on_token(*token, segment, Span{0, span.end - span.begin});
    for (const auto& normalizer : normalizers) normalizer->apply(segment);
    walk_normalized(segment);
  });
}

void Pipeline::encode_valid(std::string_view text, const SpecialRules& special, TokenSink sink) const {
  ScratchPool::Lease scratch(scratches_, *model);
  const bool track = sink.spans != nullptr;
  walk(
      text, special, track,
      [&](const AddedToken& token, const Segment& segment, Span span) {
        sink.ids.push_back(token.id);
        if (track) sink.spans->push_back(segment.origin_of(span));
      },
      [&](Segment& segment) {
        for (const auto& step : pre_tokenizers.steps) step->apply(segment);
        const size_t first = track ? sink.spans->size() : 0;
        model->encode(segment.text(), segment.pieces(), *scratch, sink);
        if (!track) return;
        for (size_t i = first; i < sink.spans->size(); ++i)
          (*sink.spans)[i] = segment.origin_of((*sink.spans)[i]);
      });
}

void Pipeline::encode(std::string_view text, const SpecialRules& special, TokenSink sink) const {
  if (text.size() >= UINT32_MAX) {
    throw Exception(make_error(ErrorCode::invalid_argument,
                               fmt::format("a text of {} bytes is too long for one call", text.size()),
                               "encode it document by document"));
  }
  Repaired repaired;
  if (const size_t valid = valid_utf8_prefix(text); valid != text.size()) {
    if (!special.plain.empty()) {
      throw Exception(make_error(ErrorCode::invalid_argument,
                                 fmt::format("positions need valid UTF-8; byte {} is not", valid),
                                 "repair the text first"));
    }
    repaired = repair_utf8(text);
    text = repaired.text;
  }
  encode_valid(text, special, sink);
}

std::vector<Span> Pipeline::split(std::string_view text) const {
  std::vector<Span> pieces;
  walk(
      text, {}, true,
      [&](const AddedToken&, const Segment& segment, Span span) {
        pieces.push_back(segment.origin_of(span));
      },
      [&](Segment& segment) {
        for (const auto& step : pre_tokenizers.steps) step->apply(segment);
        for (const Span piece : segment.pieces()) pieces.push_back(segment.origin_of(piece));
      });
  return pieces;
}

std::string Pipeline::to_json() const {
  std::string out = "{";
  std::string_view separator;
  for (const auto& [key, value] : document.items()) {
    out += fmt::format("{}\n{}: {}", separator, Json(key).dump(),
                       key == "model" ? model->to_json() : value.dump());
    separator = ",";
  }
  return out + "\n}\n";
}

}  // namespace quern::text
