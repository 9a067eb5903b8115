#include "infer/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace quern::infer {

void CompletionOptions::fields(Fields& f) {
  f.add("max_tokens", max_tokens, "longest answer, in tokens").at_least(1);
  f.add("stop", stop, "texts that end the answer");
  f.add("ignore_eos", ignore_eos, "go on past the model's end token");
  sampling.fields(f);
  rules.fields(f);
  f.add("beams", beams, "above 1: keep so many answers open and give the likeliest").range(1, 1000);
  f.add("length_penalty", length_penalty, "of beam search: above 0 favours long answers, below 0 short ones")
      .range(-100, 100);
  f.add("early_stopping", early_stopping,
        "of beam search: end with as many answers as beams (yes), when no better one is likely (no) or "
        "possible "
        "(never)",
        {{"no", EarlyStopping::no}, {"yes", EarlyStopping::yes}, {"never", EarlyStopping::never}});
  f.add("num_return", num_return, "of beam search: answers to give, at most as many as beams").at_least(1);
}

GenerateOptions CompletionOptions::generation() const {
  return {.sampling = sampling,
          .max_tokens = max_tokens,
          .end_tokens = ignore_eos ? std::vector<int32_t>() : end_tokens,
          .rules = rules,
          .stream = stream,
          .context_shift = context_shift,
          .constraint = constraint,
          .constraint_start = constraint_start};
}

std::string AnswerText::push(int32_t token) {
  if (token == std::exchange(forced_first_, -1)) return {};
  return stops_.push(decoder_.push(token));
}

std::string AnswerText::finish() {
  std::string rest;
  if (!stops_.stopped()) rest = stops_.push(decoder_.finish());
  return rest + stops_.finish();
}

namespace {
bool is_unfinished(const std::vector<SampledToken>& tokens,
                   const std::shared_ptr<grammar::TokenMasks>& constraint) {
  if (!constraint) return false;
  grammar::Matcher matcher(constraint);
  for (const SampledToken& token : tokens) matcher.accept_token(token.id);
  return !matcher.can_end();
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
  const Stopwatch start;
  QUERN_CHECK(session.set_tokens(prompt));
  result.prompt_seconds = start.seconds();

  AnswerText answer(tokenizer, options.stop, options.rules.forced_first);
  bool wanted = true;
  const auto show = [&](const std::string& piece) {
    result.text += piece;
    if (receive && wanted) wanted = receive(piece);
  };
  const Stopwatch generating;
  result.finish = generate(session, options.generation(), [&](const SampledToken& token) {
    result.tokens.push_back(token);
    show(answer.push(token.id));
    return wanted && !answer.stopped();
  });
  show(answer.finish());
  if (answer.stopped()) result.finish = FinishReason::stop;
  result.generate_seconds = generating.seconds();
  result.unfinished = is_unfinished(result.tokens, options.constraint);
  return result;
}

Result<BeamCompletions> complete_beams(Session& session, const text::Tokenizer& tokenizer,
                                       std::span<const int32_t> prompt, const CompletionOptions& options,
                                       const std::function<bool()>& go_on) {
  if (options.num_return > options.beams) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} answers of {} beams", options.num_return, options.beams),
                      "there are as many answers as beams at most");
  }
  BeamCompletions result{.answers = {}, .prompt_tokens = static_cast<int64_t>(prompt.size())};
  const Stopwatch start;
  QUERN_CHECK(session.set_tokens(prompt));
  result.prompt_seconds = start.seconds();
  const int64_t room = session.context() - result.prompt_tokens;
  if (room < 1) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the prompt fills the context of {} tokens", session.context()),
                      "shorten the prompt, or raise --context up to what the model was trained for");
  }
  BeamOptions search{.beams = options.beams,
                     .length_penalty = options.length_penalty,
                     .early_stopping = options.early_stopping,
                     .repetition_penalty = options.sampling.repetition_penalty,
                     .max_tokens = std::min(options.max_tokens, room),
                     .end_tokens = {},
                     .rules = options.rules};
  if (!options.ignore_eos) search.end_tokens = options.end_tokens;
  const Stopwatch searching;
  for (Beam& beam : beam_search(session, search, go_on)) {
    if (static_cast<int64_t>(result.answers.size()) == options.num_return) break;
    AnswerText text(tokenizer, options.stop, options.rules.forced_first);
    BeamCompletion answer{.text = {}, .beam = std::move(beam)};
    for (const int32_t token : answer.beam.tokens) answer.text += text.push(token);
    answer.text += text.finish();
    answer.finish = answer.beam.ended || text.stopped()      ? FinishReason::stop
                    : search.max_tokens < options.max_tokens ? FinishReason::context_full
                                                             : FinishReason::length;
    result.answers.push_back(std::move(answer));
  }
  result.generate_seconds = searching.seconds();
  return result;
}

}  // namespace quern::infer
