#include "infer/completion.h"

#include <algorithm>
#include <chrono>

#include "infer/stop_strings.h"
#include "text/stream_decoder.h"

namespace quern::infer {

void CompletionOptions::fields(Fields& f) {
  f.add("max_tokens", max_tokens, "longest answer, in tokens").at_least(1);
  f.add("stop", stop, "texts that end the answer");
  f.add("ignore_eos", ignore_eos, "go on past the model's end token");
  sampling.fields(f);
}

namespace {
using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}
}  // namespace

std::vector<int32_t> encode_prompt(const text::Tokenizer& tokenizer, std::string_view text,
                                   bool allow_special) {
  std::vector<int32_t> tokens = tokenizer.encode(text, {.allow_special = allow_special});
  if (tokens.empty() && tokenizer.special_ids().bos) tokens.push_back(*tokenizer.special_ids().bos);
  return tokens;
}

Result<Completion> complete(Session& session, const text::Tokenizer& tokenizer,
                            std::span<const int32_t> prompt, const CompletionOptions& options,
                            const std::function<bool(std::string_view)>& receive) {
  Completion result;
  result.prompt_tokens = static_cast<int64_t>(prompt.size());
  result.cached_tokens = std::ranges::mismatch(prompt, session.tokens()).in1 - prompt.begin();
  const auto start = Clock::now();
  QUERN_CHECK(session.set_tokens(prompt));
  result.prompt_seconds = seconds_since(start);

  GenerateOptions generation{.sampling = options.sampling,
                             .max_tokens = options.max_tokens,
                             .end_tokens = {},
                             .stream = options.stream,
                             .context_shift = options.context_shift};
  if (!options.ignore_eos) generation.end_tokens = options.end_tokens;
  text::StreamDecoder decoder(tokenizer);
  StopStrings stops(options.stop);
  bool wanted = true;
  const auto show = [&](const std::string& piece) {
    result.text += piece;
    if (receive && wanted) wanted = receive(piece);
  };
  const auto generating = Clock::now();
  result.finish = generate(session, generation, [&](const SampledToken& token) {
    result.tokens.push_back(token);
    show(stops.push(decoder.push(token.id)));
    return wanted && !stops.stopped();
  });
  if (!stops.stopped()) show(stops.push(decoder.finish()));
  show(stops.finish());
  if (stops.stopped()) result.finish = FinishReason::stop;
  result.generate_seconds = seconds_since(generating);
  return result;
}

}  // namespace quern::infer
