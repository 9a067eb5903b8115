#include "infer/sampling_defaults.h"

#include <fmt/format.h>

namespace quern::infer {

Result<std::vector<std::string>> take_defaults(const SamplingDefaults& defaults, Fields& fields,
                                               const Fields& said) {
  std::vector<std::string> taken;
  const auto take = [&](std::string_view key, const auto& value) -> Result<void> {
    const Field* field = said.find(key);
    if (!value || field == nullptr || !field->origin().empty()) return {};
    taken.emplace_back(key);
    return fields.set(fmt::format("{}={}", key, *value), "the model's own settings");
  };
  QUERN_CHECK(take("temperature", defaults.temperature));
  QUERN_CHECK(take("top_k", defaults.top_k));
  QUERN_CHECK(take("top_p", defaults.top_p));
  QUERN_CHECK(take("min_p", defaults.min_p));
  QUERN_CHECK(take("typical_p", defaults.typical_p));
  QUERN_CHECK(take("repetition_penalty", defaults.repetition_penalty));
  QUERN_CHECK(take("beams", defaults.beams));
  QUERN_CHECK(take("length_penalty", defaults.length_penalty));
  QUERN_CHECK(take("early_stopping", defaults.early_stopping));
  QUERN_CHECK(take("no_repeat_ngram", defaults.no_repeat_ngram));
  QUERN_CHECK(take("min_tokens", defaults.min_tokens));
  QUERN_CHECK(take("max_tokens", defaults.max_tokens));
  return taken;
}

}  // namespace quern::infer
