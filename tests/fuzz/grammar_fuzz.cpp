// Any bytes as a JSON schema, regular expression or grammar, as the first byte says, in small limits: errors, never
// crashes. What compiles is walked: masks must agree with trying each token, and forced bytes be accepted.
#include <cstdlib>

#include "grammar/grammar_cache.h"
#include "grammar/matcher.h"

namespace {

using namespace quern::grammar;

std::shared_ptr<const Vocabulary> small_vocabulary() {
  std::vector<std::string> spellings;
  for (int byte = 1; byte < 256; ++byte) spellings.emplace_back(1, static_cast<char>(byte));
  for (const char* word :
       {"{\"", "\":", "\", \"", "true", "false", "null", "ab", "0.5", "}]", "\n  ", "12", "\u00e9"})
    spellings.emplace_back(word);
  spellings.emplace_back();
  const auto end = static_cast<TokenId>(spellings.size() - 1);
  return std::make_shared<const Vocabulary>(spellings, std::vector<TokenId>{end});
}

void walk(const std::shared_ptr<TokenMasks>& masks, size_t seed) {
  const Vocabulary& vocabulary = masks->vocabulary();
  Matcher matcher(masks);
  std::vector<uint64_t> bits(vocabulary.mask_words());
  for (int step = 0; step < 12; ++step) {
    if (!matcher.fill_mask(bits).ok()) return;
    std::vector<TokenId> allowed;
    for (size_t id = 0; id < vocabulary.size(); ++id) {
      const auto token = static_cast<TokenId>(id);
      Matcher copy = matcher;
      const bool accepted = copy.accept_token(token);
      if (copy.exhausted()) return;
      if (accepted != has_bit(bits, token)) std::abort();
      if (accepted) allowed.push_back(token);
    }
    const std::string forced = matcher.forced_bytes(64);
    if (!forced.empty() && !Matcher(matcher).accept(forced)) std::abort();
    if (allowed.empty()) return;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    if (!matcher.accept_token(allowed[(seed >> 33) % allowed.size()])) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  using Kind = Constraint::Kind;
  constexpr Kind kKinds[] = {Kind::json_schema, Kind::regex, Kind::gbnf};
  static const std::shared_ptr<const Vocabulary> vocabulary = small_vocabulary();
  Limits limits;
  limits.expressions = 20'000;
  limits.states = 5'000;
  limits.compile_work = 300'000;
  limits.items = 100;
  limits.byte_work = 3'000;
  limits.mask_work = 300'000;
  const Constraint constraint{kKinds[data[0] % 3],
                              std::string(reinterpret_cast<const char*>(data) + 1, size - 1)};
  const auto grammar = compile(constraint, limits);
  if (grammar.ok()) walk(std::make_shared<TokenMasks>(*grammar, vocabulary), size);
  return 0;
}
