// quern convert
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/interrupt.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "convert/gguf_source.h"
#include "convert/grow.h"
#include "convert/target.h"
#include "store/store.h"

namespace quern::cli {

namespace {

using convert::Format;

struct Arguments {
  std::string model, output, dtype;
  Format to = Format::gguf;
  bool force = false;
  convert::NewTokens new_tokens;

  // "smollm2-f16.gguf" or "smollm2-hf" in the current folder.
  std::filesystem::path target(const std::filesystem::path& source) const {
    if (!output.empty()) return std::filesystem::path(output).lexically_normal();
    const std::string name = convert::model_name(source) + (dtype.empty() ? "" : "-" + dtype);
    return to == Format::gguf ? name + ".gguf" : name + "-hf";
  }
};

uint64_t bytes_at(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return std::filesystem::file_size(path, ignored);
  uint64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(path, ignored))
    bytes += file.file_size(ignored);
  return bytes;
}

Result<void> run(const Arguments& arguments, Context& context) {
  const InterruptGuard guard;
  QUERN_TRY(const std::filesystem::path source, store::Store().resolve(arguments.model));
  const std::filesystem::path target = arguments.target(source);
  const std::optional<DType> dtype = dtype_from_name(arguments.dtype);
  if (arguments.new_tokens.any()) {
    if (arguments.to != Format::hf) {
      return make_error(ErrorCode::invalid_argument, "new tokens are for --to hf",
                        "write a folder with them, and convert that");
    }
    QUERN_CHECK(
        convert::save_grown(source, arguments.new_tokens, target, dtype, arguments.force, *context.progress));
  } else {
    QUERN_CHECK(convert::save(
        source, {.path = target, .format = arguments.to, .dtype = dtype, .replace = arguments.force},
        *context.progress));
  }
  const uint64_t before = bytes_at(source), after = bytes_at(target);
  if (context.json) {
    const nlohmann::ordered_json document = {{"source", source.string()},
                                             {"path", target.string()},
                                             {"format", arguments.to == Format::gguf ? "gguf" : "hf"},
                                             {"bytes_before", before},
                                             {"bytes", after}};
    context.print(document.dump(2) + "\n");
  } else {
    context.print(
        fmt::format("{}  {} (from {})\n", target.string(), human_bytes(after), human_bytes(before)));
  }
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& app = line.app();
  app.add_option("MODEL", arguments->model, "model folder, GGUF file, or a name in the store")->required();
  line.choice("--to", arguments->to, "format to write", {{"gguf", Format::gguf}, {"hf", Format::hf}});
  app.add_option("--dtype", arguments->dtype,
                 "of matrices: f16, bf16 or f32 (default: as they are; to hf, f16 for blocks)")
      ->check(CLI::IsMember({"f16", "bf16", "f32"}));
  app.add_option("-o,--output", arguments->output,
                 "file or folder to write (default: named after the model)");
  app.add_option("--add-token", arguments->new_tokens.texts,
                 "a word that becomes a token of its own (repeat for more); its vectors begin as the mean of "
                 "the others");
  app.add_option("--add-special-token", arguments->new_tokens.special,
                 "the same of a mark that people do not see, such as '<|tool|>'");
  app.add_flag("--force", arguments->force, "replace what is there");
  return [arguments](Context& context) { return run(*arguments, context); };
}

}  // namespace

Command convert_command() {
  return {
      .name = "convert",
      .group = Group::use,
      .summary = "write a model as GGUF or as a Hugging Face folder",
      .details =
          "Weights, settings, tokenizer and chat template are carried over, so that llama.cpp opens the one\n"
          "and transformers the other. Quantised weights stay as they are in GGUF unless --dtype is given.\n"
          "What a format cannot express is refused by name. New tokens mean nothing until they are learnt:\n"
          "adapter.tokens of 'quern train' learns their vectors beside a LoRA.",
      .examples =
          "quern convert runs/demo/model --to gguf --dtype f16\n"
          "quern convert SmolLM2-135M-Instruct.Q4_1.gguf --to hf --dtype bf16 -o smollm2\n"
          "quern convert MODEL --to hf --add-special-token '<|tool|>' -o grown",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
