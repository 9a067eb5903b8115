// quern merge
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "cli/command_line.h"
#include "convert/target.h"
#include "store/store.h"

namespace quern::cli {

namespace {

enum class Format { same, gguf, hf };

struct Arguments {
  std::string model, adapter, output, dtype;
  Format to = Format::same;
  bool force = false;
};

Result<void> merge(const Arguments& arguments, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(const std::filesystem::path source, store::Store().resolve(arguments.model));
  std::error_code ignored;
  const bool is_file = std::filesystem::is_regular_file(source, ignored);
  const bool to_gguf = arguments.to == Format::gguf || (arguments.to == Format::same && is_file);
  QUERN_CHECK(convert::save(source,
                            {.path = arguments.output,
                             .format = to_gguf ? convert::Format::gguf : convert::Format::hf,
                             .dtype = dtype_from_name(arguments.dtype),
                             .replace = arguments.force,
                             .adapter = arguments.adapter},
                            *context.progress));
  if (context.json) {
    const nlohmann::ordered_json document = {{"source", source.string()},
                                             {"adapter", arguments.adapter},
                                             {"path", arguments.output},
                                             {"format", to_gguf ? "gguf" : "hf"}};
    context.print(document.dump(2) + "\n");
  } else {
    context.print(fmt::format("{}\n", arguments.output));
  }
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& app = line.app();
  app.add_option("MODEL", arguments->model, "the adapter's base: folder, GGUF file, or a name in the store")
      ->required();
  app.add_option("--adapter", arguments->adapter, "folder of a LoRA adapter, as PEFT writes it")->required();
  app.add_option("-o,--output", arguments->output, "file or folder to write")->required();
  line.choice("--to", arguments->to, "format to write; same: the base's",
              {{"same", Format::same}, {"gguf", Format::gguf}, {"hf", Format::hf}});
  app.add_option("--dtype", arguments->dtype,
                 "of matrices: f16, bf16 or f32 (default: as they are; f16 for those in blocks that change)")
      ->check(CLI::IsMember({"f16", "bf16", "f32"}));
  app.add_flag("--force", arguments->force, "replace what is there");
  return [arguments](Context& context) { return merge(*arguments, context); };
}

}  // namespace

Command merge_command() {
  return {
      .name = "merge",
      .group = Group::use,
      .summary = "add a LoRA adapter to the weights of its model",
      .details =
          "The result answers as the model with its adapter does, and is opened by llama.cpp (GGUF) or\n"
          "transformers. Weights in blocks become f16 where the adapter changes them: merging rounds, and "
          "so\n"
          "does `quern quantize` again. To keep the blocks, serve the adapter beside them: `--adapter`.",
      .examples =
          "quern merge smollm2 --adapter runs/alpaca/adapter -o smollm2-alpaca\n"
          "quern merge smollm2 --adapter runs/alpaca/adapter --to gguf --dtype f16 -o smollm2-alpaca.gguf",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
