// quern chat
#include "infer/chat.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <memory>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/terminal.h"
#include "cli/chat_console.h"
#include "cli/chat_options.h"
#include "cli/model_options.h"

namespace quern::cli {

namespace {

struct Arguments {
  ModelOptions options;
  ChatOptions chat;
  std::string message;
};

constexpr const char* kHelp =
    "/reset      forget the conversation\n"
    "/system T   reset, and tell the model T before the conversation\n"
    "/undo       take the last message and its answer back\n"
    "/retry      answer the last message once more\n"
    "/save FILE  write the conversation as JSON; /load FILE goes on with it\n"
    "/seed N, /temperature T\n"
    "/quit       end; so does Ctrl-D. Ctrl-C stops an answer.\n"
    "A line that ends in \\ goes on with the next; \"\"\" begins and ends a message of many lines.";

std::string to_text(const nlohmann::ordered_json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// One conversation at the terminal, or from a file of messages.
class Conversation {
 public:
  Conversation(infer::Chat chat, Context& context, bool verbose)
      : chat_(std::move(chat)), context_(context), verbose_(verbose), console_(!context.quiet) {}

  Result<void> say(const std::string& message) {
    return answer([&](const infer::AnswerReceiver& receive) { return chat_.say(message, receive); });
  }

  Result<void> run() {
    if (console_.is_interactive())
      terminal::print_line("/help lists commands, Ctrl-C stops an answer, Ctrl-D ends.");
    while (std::optional<std::string> message = console_.read()) {
      if (message->empty()) continue;
      if (*message == "/quit" || *message == "/exit") break;
      const Result<void> done = message->starts_with('/') ? obey(*message) : say(*message);
      if (done.ok()) continue;
      if (!console_.is_interactive()) return done;
      if (done.error().code != ErrorCode::cancelled) terminal::print_line(done.error().to_string());
    }
    return {};
  }

 private:
  template <class Ask>
  Result<void> answer(const Ask& ask) {
    const InterruptGuard guard("");
    const Result<infer::ChatAnswer> answer = ask([&](const infer::AnswerPiece& piece) {
      if (!context_.json) console_.show(piece);
      return !InterruptGuard::requested();
    });
    if (!answer.ok()) {
      if (answer.error().code == ErrorCode::cancelled)
        console_.end_answer();  // while it read the conversation
      return answer.error();
    }
    if (context_.json) {
      context_.print(to_text(to_json(*answer)));
      std::fflush(stdout);
    } else {
      console_.end_answer();
    }
    if (!context_.quiet) note(*answer);
    if (answer->completion.finish == infer::FinishReason::cancelled)
      return make_error(ErrorCode::cancelled, "stopped");
    return {};
  }

  // What people should know about an answer beside what it says.
  void note(const infer::ChatAnswer& answer) const {
    if (const infer::Forgotten& f = answer.forgotten; f.exchanges > 0) {
      terminal::print_line(fmt::format(
          "(the context of {} tokens was full: forgot {} exchange{}, {} of {} tokens are left)",
          chat_.context(), f.exchanges, f.exchanges == 1 ? "" : "s", f.tokens_after, f.tokens_before));
    }
    if (answer.completion.finish == infer::FinishReason::length)
      terminal::print_line(
          fmt::format("(cut at {} tokens; -n N allows more)", answer.completion.tokens.size()));
    if (answer.completion.finish == infer::FinishReason::context_full) {
      terminal::print_line(fmt::format(
          "(cut: the context of {} tokens is full; --context N allows more, as far as the model goes)",
          chat_.context()));
    }
    if (verbose_) terminal::print_line(fmt::format("({})", describe_speed(answer.completion)));
  }

  // Handles a line that starts with '/'.
  Result<void> obey(const std::string& line) {
    const std::string verb = line.substr(0, line.find_first_of(" \n"));
    const std::string value = line.size() > verb.size() ? line.substr(verb.size() + 1) : "";
    infer::SamplingOptions& sampling = chat_.options().completion.sampling;
    if (verb == "/help") {
      terminal::print_line(kHelp);
    } else if (verb == "/reset") {
      chat_.reset();
    } else if (verb == "/system") {
      chat_.reset();
      chat_.options().system = value;
    } else if (verb == "/undo") {
      if (!chat_.undo()) terminal::print_line("there is nothing to take back");
    } else if (verb == "/retry") {
      return answer([&](const infer::AnswerReceiver& receive) { return chat_.retry(receive); });
    } else if (verb == "/save" && !value.empty()) {
      return write_file_atomic(value, to_text({{"messages", chat_.messages()}}, 2));
    } else if (verb == "/load" && !value.empty()) {
      return load(value);
    } else if (verb == "/seed" && !value.empty()) {
      set(sampling.seed, value, "/seed takes a whole number");
    } else if (verb == "/temperature" && !value.empty()) {
      set(sampling.temperature, value, "/temperature takes a number of at least 0");
    } else {
      terminal::print_line(fmt::format("no command '{}'\n{}", line, kHelp));
    }
    return {};
  }

  Result<void> load(const std::string& path) {
    QUERN_TRY(const std::string text, read_file(path, kMaxJsonFile));
    QUERN_CHECK(parse_json(text, path));
    nlohmann::ordered_json json = nlohmann::ordered_json::parse(text);
    if (json.is_object() && json.contains("messages")) json = nlohmann::ordered_json(json["messages"]);
    auto set = chat_.set_messages(json);
    return set.ok() ? set : Result<void>(std::move(set).error().within(path));
  }

  template <class T>
  static void set(T& target, const std::string& value, std::string_view complaint) {
    T number{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size() && number >= T{0})
      target = number;
    else
      terminal::print_line(complaint);
  }

  infer::Chat chat_;
  Context& context_;
  bool verbose_;
  ChatConsole console_;
};

Result<void> converse(Arguments& arguments, Context& context) {
  QUERN_TRY(infer::LoadedModel loaded, arguments.options.open());
  QUERN_TRY(infer::Chat chat, arguments.chat.open(loaded, arguments.options, context.quiet));
  Conversation conversation(std::move(chat), context, arguments.options.verbose);
  return arguments.message.empty() ? conversation.run() : conversation.say(arguments.message);
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  arguments->options.completion.sampling.temperature = 0.7;
  arguments->options.completion.max_tokens = 2048;
  arguments->options.define(line);
  arguments->chat.define(line);
  line.app().add_option("-m,--message", arguments->message, "say this, print the answer, and stop");
  return [arguments](Context& context) { return converse(*arguments, context); };
}

}  // namespace

Command chat_command() {
  return {.name = "chat",
          .group = Group::use,
          .summary = "talk to a model",
          .details = std::string("One line is one message.\n\n") + kHelp,
          .examples =
              "quern chat runs/demo/model\n"
              "quern chat runs/demo/model --system \"Answer in one sentence.\"\n"
              "quern chat runs/demo/model -m \"What colour is a lemon?\" -t 0",
          .define = define,
          .subcommands = {}};
}

}  // namespace quern::cli
