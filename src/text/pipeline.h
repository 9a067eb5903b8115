// What a text passes on its way to ids and back: the parts of a tokenizer, put together.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/length_rules.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/scratch_pool.h"

namespace quern::text {

// Filled by a reader of one format, then read-only: all methods are thread-safe.
struct Pipeline {
  Json document;  // tokenizer.json in its order, with "model" null
  Normalizers normalizers;
  PreTokenizers pre_tokenizers;
  std::unique_ptr<Model> model;
  AddedTokens added;
  PostProcessor post_processor;
  Decoders decoders;
  std::optional<Truncation> truncation;
  std::optional<Padding> padding;

  size_t id_end() const { return std::max(model->vocabulary().id_end(), added.id_end()); }
  std::optional<TokenId> find(std::string_view token) const;
  // The token as decoders see it.
  std::optional<std::string> token_of(TokenId id) const;
  // What a token gives to a byte-level decoder.
  void append_bytes(TokenId id, std::string& out) const;

  // Appends the tokens of the text alone, without what the post-processor adds. Ill-formed UTF-8 is repaired
  // first. Throws Exception(invalid_argument) for a text over 4 GiB, and for an ill-formed one whose special
  // tokens depend on positions.
  void encode(std::string_view text, const SpecialRules& special, TokenSink sink) const;
  // What the model is given, as ranges of the text. Precondition: valid UTF-8.
  std::vector<Span> split(std::string_view text) const;
  std::string to_json() const;

 private:
  template <class OnToken, class OnSegment>
  void walk(std::string_view text, const SpecialRules& special, bool track, const OnToken& on_token,
            const OnSegment& on_segment) const;
  void encode_valid(std::string_view text, const SpecialRules& special, TokenSink sink) const;

  mutable ScratchPool scratches_;
};

}  // namespace quern::text
