#include "text/normalizer.h"

#include "text/normalizers/factories.h"
#include "text/registry.h"

namespace quern::text {

namespace {
constexpr Registration<MakeNormalizer> kNormalizers[] = {
    {"BertNormalizer", make_bert_normalizer},
    {"ByteLevel", make_byte_level_normalizer},
    {"Lowercase", make_lowercase},
    {"NFC", make_nfc},
    {"NFD", make_nfd},
    {"NFKC", make_nfkc},
    {"NFKD", make_nfkd},
    {"Nmt", make_nmt},
    {"Precompiled", make_precompiled},
    {"Prepend", make_prepend},
    {"Replace", make_replace},
    {"Strip", make_strip},
    {"StripAccents", make_strip_accents},
};
}  // namespace

Result<Normalizers> make_normalizers(const Json& component) {
  QUERN_TRY(const std::vector<Fields> list, flatten_sequence("normalizer", component, "normalizers"));
  Normalizers normalizers;
  for (const Fields& fields : list) {
    QUERN_TRY(const auto* row, find_factory<MakeNormalizer>(fields, kNormalizers));
    QUERN_TRY(auto normalizer, row->make(fields));
    normalizers.push_back(std::move(normalizer));
  }
  return normalizers;
}

}  // namespace quern::text
