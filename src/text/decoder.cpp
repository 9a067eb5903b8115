#include "text/decoder.h"

#include "text/decoders/factories.h"
#include "text/registry.h"

namespace quern::text {

namespace {
constexpr Registration<MakeDecoder> kDecoders[] = {
    {"BPEDecoder", make_bpe_decoder},
    {"ByteFallback", make_byte_fallback_decoder},
    {"ByteLevel", make_byte_level_decoder},
    {"CTC", make_ctc_decoder},
    {"Fuse", make_fuse_decoder},
    {"Metaspace", make_metaspace_decoder},
    {"Replace", make_replace_decoder},
    {"Strip", make_strip_decoder},
    {"WordPiece", make_word_piece_decoder},
};
}  // namespace

std::string Decoders::decode(std::vector<std::string> tokens) const {
  for (const auto& step : steps) step->apply(tokens);
  std::string text;
  for (const std::string& token : tokens) {
    if (join_with_spaces && &token != &tokens.front()) text += ' ';
    text += token;
  }
  return text;
}

Result<Decoders> make_decoders(const Json& component) {
  QUERN_TRY(const std::vector<Fields> list, flatten_sequence("decoder", component, "decoders"));
  Decoders made;
  made.join_with_spaces = component.is_null();
  for (const Fields& fields : list) {
    QUERN_TRY(const auto* row, find_factory<MakeDecoder>(fields, kDecoders));
    QUERN_TRY(auto step, row->make(fields));
    made.steps.push_back(std::move(step));
  }
  made.byte_level = list.size() == 1 && list[0].type().value() == "ByteLevel";
  return made;
}

}  // namespace quern::text
