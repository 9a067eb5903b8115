// quern chat
#include "infer/chat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>

#include "base/interrupt.h"
#include "base/terminal.h"
#include "cli/model_options.h"

namespace quern::cli {

namespace {

struct Arguments {
  ModelOptions options;
  std::string system;
  std::string message;
};

constexpr const char* kHelp =
    "/help shows this, /reset forgets the conversation, /seed N changes the seed, /temperature T the spread, "
    "/exit ends. "
    "Ctrl-C stops an answer, Ctrl-D ends.";

// Handles a line that starts with '/'. False: the conversation is over.
bool obey(const std::string& line, infer::Chat& chat) {
  const std::string verb = line.substr(0, line.find(' '));
  const std::string value = line.size() > verb.size() ? line.substr(verb.size() + 1) : "";
  infer::SamplingOptions& sampling = chat.options().completion.sampling;
  char* end = nullptr;
  if (verb == "/exit" || verb == "/quit") return false;
  if (verb == "/reset") {
    chat.reset();
  } else if (verb == "/seed" && !value.empty()) {
    const uint64_t seed = std::strtoull(value.c_str(), &end, 10);
    if (*end == '\0')
      sampling.seed = seed;
    else
      terminal::print_line("/seed takes a whole number");
  } else if (verb == "/temperature" && !value.empty()) {
    const double temperature = std::strtod(value.c_str(), &end);
    if (*end == '\0' && temperature >= 0.0)
      sampling.temperature = temperature;
    else
      terminal::print_line("/temperature takes a number of at least 0");
  } else {
    if (verb != "/help") terminal::print_line(fmt::format("no command '{}'", line));
    terminal::print_line(kHelp);
  }
  return true;
}

// Why an answer ends where nobody would end one; empty otherwise.
std::string why_cut(const infer::Completion& completion, const infer::Chat& chat) {
  switch (completion.finish) {
    case infer::FinishReason::length:
      return fmt::format("(cut at {} tokens; -n N allows more)", completion.tokens.size());
    case infer::FinishReason::context_full:
      return fmt::format("(the context of {} tokens is full; /reset starts a new conversation)",
                         chat.context());
    default:
      return {};
  }
}

Result<void> answer(infer::Chat& chat, const std::string& message, Context& context) {
  const InterruptGuard guard;
  const Result<infer::ChatAnswer> said = chat.say(message, [&](std::string_view piece) {
    if (!context.json) {
      context.print(piece);
      std::fflush(stdout);
    }
    return !InterruptGuard::requested();
  });
  if (!said.ok()) return said.error();
  const infer::Completion* const completion = &said->completion;
  context.print(context.json
                    ? to_json(*completion).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                          "\n"
                    : "\n");
  std::fflush(stdout);
  if (const std::string note = why_cut(*completion, chat); !note.empty() && !context.quiet)
    terminal::print_line(note);
  if (completion->finish == infer::FinishReason::cancelled)
    return make_error(ErrorCode::cancelled, "stopped");
  return {};
}

Result<void> converse(Arguments& arguments, Context& context) {
  QUERN_TRY(const infer::LoadedModel loaded, arguments.options.open());
  QUERN_TRY(infer::Chat chat, infer::Chat::create(loaded, {.completion = arguments.options.completion,
                                                           .context = arguments.options.context,
                                                           .system = arguments.system}));
  if (!arguments.message.empty()) return answer(chat, arguments.message, context);
  const bool interactive = ::isatty(STDIN_FILENO) == 1 && !context.quiet;
  if (interactive) terminal::print_line(kHelp);
  for (std::string line;;) {
    if (interactive) {
      std::fputs("> ", stderr);
      std::fflush(stderr);
    }
    if (!std::getline(std::cin, line)) {
      if (interactive) terminal::print_line("");
      break;
    }
    if (line.empty()) continue;
    if (line.starts_with('/')) {
      if (!obey(line, chat)) break;
      continue;
    }
    if (const Result<void> said = answer(chat, line, context); !said.ok()) {
      if (!interactive) return said;
      if (said.error().code == ErrorCode::cancelled) continue;
      terminal::print_line(said.error().to_string() + "\n  /reset starts a new conversation");
    }
  }
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  arguments->options.completion.sampling.temperature = 0.7;
  arguments->options.define(line);
  line.app().add_option("--system", arguments->system, "what the model is told before the conversation");
  line.app().add_option("-m,--message", arguments->message, "say this, print the answer, and stop");
  return [arguments](Context& context) { return converse(*arguments, context); };
}

}  // namespace

Command chat_command() {
  return {.name = "chat",
          .group = Group::use,
          .summary = "talk to a model",
          .details = std::string("Reads one message per line. ") + kHelp,
          .examples =
              "quern chat runs/demo/model\n"
              "quern chat runs/demo/model -m \"What colour is a lemon?\" -t 0",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
