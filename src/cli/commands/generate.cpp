// quern generate
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/terminal.h"
#include "cli/model_options.h"

namespace quern::cli {

namespace {

struct Arguments {
  ModelOptions options;
  std::string prompt;
  std::string prompt_file;
  bool plain = false;
};

Result<void> generate(Arguments& arguments, Context& context) {
  std::string prompt = arguments.prompt;
  if (!arguments.prompt_file.empty()) {
    QUERN_TRY(prompt, read_file(arguments.prompt_file == "-" ? "/dev/stdin" : arguments.prompt_file));
  }
  QUERN_TRY(const infer::LoadedModel loaded, arguments.options.open());
  const std::vector<int32_t> tokens = infer::encode_prompt(loaded.tokenizer, prompt, !arguments.plain);
  infer::Session session(loaded.model, arguments.options.context);
  if (!context.json) context.print(prompt);
  const InterruptGuard guard;
  QUERN_TRY(const infer::Completion completion,
            infer::complete(session, loaded.tokenizer, tokens, arguments.options.completion,
                            [&](std::string_view piece) {
                              if (!context.json) {
                                context.print(piece);
                                std::fflush(stdout);
                              }
                              return !InterruptGuard::requested();
                            }));
  if (context.json) {
    context.print(to_json(completion).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else {
    context.print("\n");
    std::fflush(stdout);
    if (!context.quiet) terminal::print_line(describe_speed(completion));
  }
  return completion.finish == infer::FinishReason::cancelled ? make_error(ErrorCode::cancelled, "stopped")
                                                             : Result<void>();
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  arguments->options.define(line);
  line.app().add_option("-p,--prompt", arguments->prompt, "text to go on from");
  line.app()
      .add_option("-f,--prompt-file", arguments->prompt_file, "file with the prompt; - reads stdin")
      ->excludes("--prompt");
  line.app().add_flag("--plain", arguments->plain, "read special tokens in the prompt as ordinary text");
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
              "--seed 1 -n 200",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
