#include "cli/program.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <new>

#include "backend/api/backend.h"
#include "base/file.h"
#include "base/terminal.h"
#include "cli/command_line.h"
#include "cli/commands.h"

namespace quern::cli {

namespace {

// What was typed up to the command: "quern tokenizer train"; names the speaker of errors.
struct Call {
  std::string name = "quern";
  std::vector<std::string> arguments;
};

bool names_subcommand(const Command& command, const std::vector<std::string>& arguments) {
  return !arguments.empty() && std::ranges::find(command.subcommands, arguments.front(), &Command::name) !=
                                   command.subcommands.end();
}

Result<void> run_command(const Command& command, Call& call, Context& context) {
  call.name += " " + command.name;
  if (command.define == nullptr || names_subcommand(command, call.arguments)) {
    if (call.arguments.empty()) {
      std::vector<std::string_view> names;
      for (const Command& sub : command.subcommands) names.push_back(sub.name);
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("expected one of: {}", fmt::join(names, ", ")),
                        fmt::format("'{} --help' explains them", call.name));
    }
    const std::string verb = call.arguments.front();
    if (verb == "--help" || verb == "-h") return context.print(overview_of(command)), Result<void>();
    QUERN_TRY(const Command* found, find_command(command.subcommands, verb, call.name));
    call.arguments.erase(call.arguments.begin());
    return run_command(*found, call, context);
  }
  CommandLine line(call.name, command);
  const Runner run = command.define(line);
  QUERN_TRY(const bool go, line.parse(call.arguments, context));
  if (!go) return {};
  backend::register_backends();
  std::unique_ptr<Progress> progress;
  if (!context.quiet) {
    progress = make_terminal_progress();
    context.progress = progress.get();
  }
  const Result<void> result = run(context);
  context.progress = &null_progress();
  return result;
}

Result<void> run_call(Call& call, Context& context) {
  std::vector<std::string>& arguments = call.arguments;
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    context.print(overview());
    return {};
  }
  if (arguments[0] == "--version" || arguments[0] == "-V") arguments[0] = "version";
  // `quern help VERB ...` is `quern VERB ... --help`.
  if (arguments[0] == "help" && arguments.size() > 1 && !arguments[1].starts_with('-')) {
    arguments.erase(arguments.begin());
    arguments.emplace_back("--help");
  }
  const std::string verb = arguments[0];
  QUERN_TRY(const Command* command, find_command(commands(), verb, "quern"));
  arguments.erase(arguments.begin());
  return run_command(*command, call, context);
}

// Every error of a command ends here, whichever way it travelled.
Result<void> run_guarded(Call& call, Context& context) {
  try {
    return run_call(call, context);
  } catch (const Exception& exception) {
    return exception.error();
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::out_of_memory, "out of memory", "'quern plan' tells how much a model needs");
  } catch (const std::exception& exception) {
    return InternalError(exception.what()).error();
  }
}

// What is left in stdout's buffer may not fit on the disk either.
Result<void> finish_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    return file_error("write", "standard output", errno);
  return {};
}

}  // namespace

void Context::print(std::string_view text) const { std::fwrite(text.data(), 1, text.size(), stdout); }

int run_program(const std::vector<std::string>& arguments) {
  Call call{"quern", arguments};
  Context context;
  Result<void> result = run_guarded(call, context);
  if (Result<void> finished = finish_output(); result.ok() && !finished.ok()) result = std::move(finished);
  if (result.ok()) return context.exit_status;
  terminal::print_line(fmt::format("{}: {}", call.name, result.error().to_string()));
  return exit_code_of(result.error().code);
}

int run_program(int argc, char** argv) {
  // A reader that goes away (`quern ... | head`) ends the program quietly, also where the parent ignores
  // SIGPIPE.
  ::signal(SIGPIPE, SIG_DFL);
  return run_program(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

}  // namespace quern::cli
