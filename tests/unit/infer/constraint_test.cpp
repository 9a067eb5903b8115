#include "infer/constraint.h"

#include <gtest/gtest.h>

#include <cmath>

#include "grammar/grammar_cache.h"

namespace quern::infer {
namespace {

// Pieces as SentencePiece writes them, with two bytes and a special token.
constexpr std::string_view kPieces = R"({"version": "1.0", "added_tokens": [
  {"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
  "normalizer": null, "pre_tokenizer": null, "post_processor": null,
  "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
              {"type": "ByteFallback"}, {"type": "Fuse"}]},
  "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "merges": [],
            "vocab": {"<unk>": 0, "</s>": 1, "<0x41>": 2, "<0x0A>": 3, "▁": 4, "▁be▁": 5, "A": 6, "é": 7}}})";

TEST(Constraint, SpellingsOfPieces) {
  const auto tokenizer = text::Tokenizer::from_json(kPieces).value();
  const auto vocabulary = make_vocabulary(tokenizer, std::vector<int32_t>{1}).value();
  const std::vector<std::string_view> expected{"", "", "A", "\n", " ", " be ", "A", "é"};
  for (size_t id = 0; id < expected.size(); ++id)
    EXPECT_EQ(vocabulary->spelling(static_cast<int32_t>(id)), expected[id]) << id;
  EXPECT_TRUE(vocabulary->is_end(1));
}

TEST(Constraint, ForbidsEveryOtherToken) {
  const auto tokenizer = text::Tokenizer::from_json(kPieces).value();
  const auto vocabulary = make_vocabulary(tokenizer, std::vector<int32_t>{1}).value();
  grammar::GrammarCache cache(vocabulary);
  grammar::Matcher matcher(cache.get({grammar::Constraint::Kind::regex, "A( be )?"}).value());
  // Models have more rows than tokens.
  std::vector<float> logits(10, 1.0f);
  apply_constraint(matcher, logits);
  for (size_t id = 0; id < logits.size(); ++id)
    EXPECT_EQ(std::isfinite(logits[id]), id == 2 || id == 6) << id;
  advance(matcher, 6);
  logits.assign(10, 1.0f);
  apply_constraint(matcher, logits);
  for (size_t id = 0; id < logits.size(); ++id)
    EXPECT_EQ(std::isfinite(logits[id]), id == 1 || id == 4 || id == 5) << id;
  EXPECT_THROW(advance(matcher, 2), Exception);
  // No token spells what must come.
  grammar::Matcher stuck(cache.get({grammar::Constraint::Kind::regex, "xyz"}).value());
  EXPECT_THROW(apply_constraint(stuck, logits), Exception);
}

}  // namespace
}  // namespace quern::infer
