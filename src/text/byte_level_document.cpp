#include "text/byte_level_document.h"

#include "text/lexer.h"

namespace quern::text {

namespace {
Json byte_level(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}
}  // namespace

Json byte_level_pre_tokenizer(const ByteLevelRules& rules) {
  std::vector<std::string> patterns = rules.patterns;
  const bool ends_with_gpt2 = !patterns.empty() && patterns.back() == kGpt2Pattern;
  if (ends_with_gpt2) patterns.pop_back();
  const Json last = byte_level(rules.add_prefix_space, ends_with_gpt2);
  if (patterns.empty()) return last;
  Json steps = Json::array();
  for (const std::string& pattern : patterns) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  steps.push_back(last);
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

Json added_tokens_json(const std::vector<SpecialToken>& tokens) {
  Json list = Json::array();
  for (size_t id = 0; id < tokens.size(); ++id) {
    list.push_back({{"id", id},
                    {"content", tokens[id].content},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", tokens[id].special}});
  }
  return list;
}

Json byte_level_document(const ByteLevelRules& rules) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_tokens_json(rules.added_tokens)},
          {"normalizer", rules.nfc ? Json{{"type", "NFC"}} : Json()},
          {"pre_tokenizer", byte_level_pre_tokenizer(rules)},
          {"post_processor", nullptr},
          {"decoder", byte_level(true, true)},
          {"model", nullptr}};
}

}  // namespace quern::text
