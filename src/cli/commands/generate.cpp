// quern generate
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/terminal.h"
#include "cli/chat_console.h"
#include "cli/chat_options.h"
#include "cli/model_options.h"

namespace quern::cli {

namespace {

struct Arguments {
  ModelOptions options;
  std::string prompt;
  std::string prompt_file;
  bool plain = false;
  bool in_chat = false;
  ChatOptions chat;
};

Result<std::string> read_prompt(const Arguments& arguments) {
  if (arguments.prompt_file.empty()) return arguments.prompt;
  return read_file(arguments.prompt_file == "-" ? "/dev/stdin" : arguments.prompt_file);
}

// The end of both kinds of generation: what a program reads, or the speed for people.
Result<void> finish(const infer::Completion& completion, const nlohmann::ordered_json& json,
                    const Context& context) {
  if (context.json) {
    context.print(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else if (!context.quiet) {
    terminal::print_line(describe_speed(completion));
  }
  return completion.finish == infer::FinishReason::cancelled ? make_error(ErrorCode::cancelled, "stopped")
                                                             : Result<void>();
}

// The prompt as the only message of a conversation.
Result<void> answer(Arguments& arguments, infer::LoadedModel& loaded, const std::string& prompt,
                    Context& context) {
  QUERN_TRY(infer::Chat chat, arguments.chat.open(loaded, arguments.options, context.quiet));
  ChatConsole console(false);
  const InterruptGuard guard;
  QUERN_TRY(const infer::ChatAnswer answer, chat.say(prompt, [&](const infer::AnswerPiece& piece) {
    if (!context.json) console.show(piece);
    return !InterruptGuard::requested();
  }));
  if (!context.json) console.end_answer();
  return finish(answer.completion, to_json(answer), context);
}

// What the session goes on from: the prompt, or where an encoder has read it, what answers begin with.
Result<std::vector<int32_t>> open_prompt(const Arguments& arguments, const infer::LoadedModel& loaded,
                                         const std::string& prompt, infer::Session& session) {
  std::vector<int32_t> tokens = infer::encode_prompt(loaded.tokenizer, prompt, !arguments.plain);
  if (!loaded.encoder) return tokens;
  return infer::read_text(session, loaded, tokens);
}

Result<void> go_on(const Arguments& arguments, const infer::LoadedModel& loaded, const std::string& prompt,
                   Context& context) {
  infer::Session session(loaded.model, arguments.options.context);
  QUERN_TRY(const std::vector<int32_t> tokens, open_prompt(arguments, loaded, prompt, session));
  ChatConsole console(false);
  if (!context.json && !loaded.encoder) console.show({prompt});
  const InterruptGuard guard;
  QUERN_TRY(const infer::Completion completion,
            infer::complete(session, loaded.tokenizer, tokens, arguments.options.completion,
                            [&](std::string_view piece) {
                              if (!context.json) console.show({std::string(piece)});
                              return !InterruptGuard::requested();
                            }));
  if (!context.json) console.end_answer();
  return finish(completion, to_json(completion), context);
}

// The likeliest answers, when they are complete.
Result<void> search(const Arguments& arguments, const infer::LoadedModel& loaded, const std::string& prompt,
                    Context& context) {
  infer::Session session(loaded.model, arguments.options.context);
  QUERN_TRY(const std::vector<int32_t> tokens, open_prompt(arguments, loaded, prompt, session));
  const InterruptGuard guard;
  QUERN_TRY(const infer::BeamCompletions found,
            infer::complete_beams(session, loaded.tokenizer, tokens, arguments.options.completion,
                                  [] { return !InterruptGuard::requested(); }));
  if (context.json) {
    context.print(to_json(found).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else {
    ChatConsole console(false);
    for (const infer::BeamCompletion& answer : found.answers) {
      console.show({loaded.encoder ? answer.text : prompt + answer.text});
      console.end_answer();
      if (found.answers.size() > 1 && !context.quiet)
        terminal::print_line(fmt::format("score {:.4f}", answer.beam.score));
    }
  }
  return InterruptGuard::requested() ? make_error(ErrorCode::cancelled, "stopped") : Result<void>();
}

Result<void> generate(Arguments& arguments, Context& context) {
  QUERN_TRY(const std::string prompt, read_prompt(arguments));
  QUERN_TRY(infer::LoadedModel loaded, arguments.options.open());
  if (arguments.in_chat && (arguments.options.completion.beams > 1 || loaded.encoder)) {
    return make_error(ErrorCode::invalid_argument,
                      "beam search and encoder-decoders go on from texts, not from chats",
                      "leave out --chat");
  }
  if (arguments.options.completion.beams > 1) {
    return search(arguments, loaded, prompt, context);
  }
  return arguments.in_chat ? answer(arguments, loaded, prompt, context)
                           : go_on(arguments, loaded, prompt, context);
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  arguments->options.define(line);
  arguments->options.encoder_decoders = true;
  line.app().add_option("-p,--prompt", arguments->prompt, "text to go on from, or to answer");
  line.app()
      .add_option("-f,--prompt-file", arguments->prompt_file, "file with the prompt; - reads stdin")
      ->excludes("--prompt");
  line.app().add_flag("--plain", arguments->plain, "read special tokens in the prompt as ordinary text");
  line.app().add_flag("--chat", arguments->in_chat,
                      "answer the prompt as a message, through the chat template");
  arguments->chat.define(line);
  line.config_flag("--beams", "beams");
  line.config_flag("--length-penalty", "length_penalty");
  line.config_flag("--early-stopping", "early_stopping");
  line.config_flag("--num-return", "num_return");
  line.app().add_flag("--context-shift", arguments->options.completion.context_shift,
                      "go on past a full context: forget half of what follows the prompt (an approximation)");
  return [arguments](Context& context) { return generate(*arguments, context); };
}

}  // namespace

Command generate_command() {
  return {.name = "generate",
          .group = Group::use,
          .summary = "go on from a text",
          .details = {},
          .examples =
              "quern generate runs/demo/model -p \"Once upon a time\" -t 0.8 --top-k 40 --top-p 0.95 "
              "--seed 1 -n 200\n"
              "quern generate runs/demo/model -p \"Once upon a time\" --beams 4 --no-repeat-ngram 3 -n 40\n"
              "quern generate runs/demo/model --chat -p \"What is a quern?\"",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
