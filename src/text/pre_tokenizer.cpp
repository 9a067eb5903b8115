#include "text/pre_tokenizer.h"

#include "text/pre_tokenizers/factories.h"
#include "text/registry.h"

namespace quern::text {

namespace {
constexpr Registration<AddPreTokenizer> kPreTokenizers[] = {
    {"BertPreTokenizer", add_bert},
    {"ByteLevel", add_byte_level},
    {"CharDelimiterSplit", add_char_delimiter_split},
    {"Digits", add_digits},
    {"FixedLength", add_fixed_length},
    {"Metaspace", add_metaspace},
    {"Punctuation", add_punctuation},
    {"Split", add_split},
    {"UnicodeScripts", add_unicode_scripts},
    {"Whitespace", add_whitespace},
    {"WhitespaceSplit", add_whitespace_split},
};
}  // namespace

Result<PreTokenizers> make_pre_tokenizers(const Json& component, bool model_reads_bytes) {
  QUERN_TRY(const std::vector<Fields> list, flatten_sequence("pre_tokenizer", component, "pretokenizers"));
  PreTokenizers made;
  for (const Fields& fields : list) {
    QUERN_TRY(const auto* row, find_factory<AddPreTokenizer>(fields, kPreTokenizers));
    QUERN_CHECK(row->make(fields, made));
  }
  // The last step of ByteLevel writes the text in the byte alphabet.
  made.byte_level = model_reads_bytes && !list.empty() && list.back().type().value() == "ByteLevel";
  if (made.byte_level) made.steps.pop_back();
  return made;
}

}  // namespace quern::text
