#include "writing/local_respondent.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "base/clock.h"
#include "base/interrupt.h"
#include "infer/completion.h"
#include "text/chat_prompt.h"

namespace quern::writing {

namespace {

// Adds what an update tells to an answer.
void take(engine::Update&& update, const std::vector<int>* choice_of_ids, Reply& reply) {
  if (choice_of_ids != nullptr && !update.tokens.empty()) {
    for (const engine::TokenLogprob& token : update.tokens.front().top) {
      const int choice = (*choice_of_ids)[static_cast<size_t>(token.id)];
      if (choice >= 0) reply.choices[static_cast<size_t>(choice)] += std::exp(token.logprob);
    }
  }
  for (const engine::TokenUpdate& token : update.tokens) reply.drawn.push_back(token.chosen.id);
  reply.tokens += static_cast<int64_t>(update.tokens.size());
  if (update.end) reply.drawn.push_back(update.end->chosen.id);
  reply.text += update.text;
  if (update.last()) reply.ended = update.end.has_value();
}

}  // namespace

Result<std::vector<int32_t>> encode_question(const infer::Language& language, const Question& question) {
  if (question.asked.is_string())
    return infer::encode_prompt(language.tokenizer, question.asked.get_ref<const std::string&>());
  text::ChatRequest request;
  request.messages = question.asked;
  request.tools = question.tools;
  request.add_generation_prompt = true;
  QUERN_TRY(const text::ChatPrompt rendered,
            text::render_prompt(language.templates, request, language.tokenizer));
  return infer::encode_chat(language, rendered);
}

Result<std::unique_ptr<Respondent>> LocalRespondent::create(std::shared_ptr<const infer::LoadedModel> loaded,
                                                            int64_t context, int64_t at_once) {
  const int64_t positions = loaded->model.config().max_positions;
  if (context > positions) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("a question and its answer may have {} tokens, but the model has {} positions", context,
                    positions),
        "shorten the answers (max_tokens), or leave long prompts out");
  }
  QUERN_TRY(std::unique_ptr<engine::Engine> engine,
            engine::Engine::create(
                std::move(loaded),
                {.context = context, .cache_tokens = at_once * context, .limits = {.sequences = at_once}}));
  return std::unique_ptr<Respondent>(new LocalRespondent(std::move(engine)));
}

const std::vector<int>& LocalRespondent::choice_of_ids(const std::vector<std::string>& choices) {
  if (choices_ == choices && !choice_of_ids_.empty()) return choice_of_ids_;
  const infer::LoadedModel& loaded = engine_->loaded();
  choices_ = choices;
  choice_of_ids_.assign(static_cast<size_t>(loaded.model.config().vocab_size), -1);
  const auto known = std::min<int64_t>(loaded.tokenizer.vocab_size(), loaded.model.config().vocab_size);
  for (int32_t id = 0; id < known; ++id) {
    choice_of_ids_[static_cast<size_t>(id)] =
        choice_of(loaded.tokenizer.decode(std::span(&id, 1), {.skip_special_tokens = true}), choices);
  }
  return choice_of_ids_;
}

Result<engine::Request> LocalRespondent::request_of(const Question& question,
                                                    const AskOptions& options) const {
  engine::Request request;
  QUERN_TRY(request.prompt, encode_question(engine_->loaded(), question));
  request.options.sampling = {.temperature = options.temperature,
                              .top_k = options.top_k,
                              .top_p = options.top_p,
                              .seed = options.seed};
  request.options.max_tokens = options.max_tokens;
  request.options.end_tokens = engine_->loaded().end_tokens;
  request.options.stream = question.stream;
  if (!options.choices.empty()) {
    request.options.max_tokens = 1;
    request.options.ignore_eos = true;
    request.top_logprobs = engine_->loaded().model.config().vocab_size;
  }
  const auto room = engine_->context() - static_cast<int64_t>(request.prompt.size());
  if (room < request.options.max_tokens) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the question has {} tokens; with an answer of {} there is room for {}",
                                  request.prompt.size(), request.options.max_tokens,
                                  engine_->context() - request.options.max_tokens));
  }
  QUERN_CHECK(engine_->check(request));
  return request;
}

Result<std::vector<Reply>> LocalRespondent::ask(std::span<const Question> questions,
                                                const AskOptions& options, const Receiver& receive) {
  std::vector<Reply> replies(questions.size());
  std::optional<Error> error;
  const std::vector<int>* const choices = options.choices.empty() ? nullptr : &choice_of_ids(options.choices);
  const Stopwatch watch;
  for (size_t i = 0; i < questions.size() && !error; ++i) {
    Reply& reply = replies[i];
    Result<engine::Request> request = request_of(questions[i], options);
    if (!request.ok()) {
      reply.refusal = request.error().message;
      receive(i, reply);
      continue;
    }
    reply.choices.assign(options.choices.size(), 0.0);
    const Result<void> added = engine_->add(
        static_cast<engine::SequenceId>(i), *std::move(request),
        [&, i](engine::Update&& update) {
          if (update.error && !error) error = update.error;
          const bool whole = update.finish && !error;
          take(std::move(update), choices, replies[i]);
          if (whole) receive(i, replies[i]);
        },
        watch.seconds());
    if (!added.ok()) error = added.error();
  }
  while (!error && engine_->step(watch.seconds(), [&] { return watch.seconds(); })) {
    if (InterruptGuard::requested()) error = make_error(ErrorCode::cancelled, "interrupted");
  }
  if (error) {
    const Error why = *error;
    engine_->cancel_all(watch.seconds());
    return why;
  }
  return replies;
}

}  // namespace quern::writing
