// quern imatrix
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/units.h"
#include "cli/named_model.h"
#include "eval/importance.h"

namespace quern::cli {

namespace {

struct Arguments {
  NamedModel model;
  std::string data;
  std::string out = "imatrix.gguf";
  bool allow_special = false;
  eval::WindowOptions windows;
  std::vector<std::string> merge;
};

Result<void> run(const Arguments& arguments, Context& context) {
  const Stopwatch watch;
  const InterruptGuard guard;
  // Files that do not fit should fail before hours of measuring.
  formats::ImportanceMatrix others;
  for (const std::string& path : arguments.merge) {
    QUERN_TRY(const formats::ImportanceMatrix other, formats::read_importance_matrix(path));
    QUERN_CHECK(others.add(other));
  }
  QUERN_TRY(const std::string content, read_file(arguments.data));
  QUERN_TRY(const infer::LoadedModel loaded, arguments.model.open());
  const eval::EvaluationText text = eval::evaluation_text(loaded.tokenizer, content, arguments.allow_special);
  QUERN_TRY(formats::ImportanceMatrix matrix,
            eval::measure_importance(loaded.model, text, arguments.windows, *context.progress));
  matrix.datasets.push_back(arguments.data);
  const uint32_t measured = matrix.chunk_count;
  QUERN_CHECK(matrix.add(others));
  QUERN_CHECK(formats::write_importance_matrix(arguments.out, matrix));
  if (context.json) {
    const nlohmann::ordered_json result = {{"out", arguments.out},         {"weights", matrix.entries.size()},
                                           {"context", matrix.chunk_size}, {"chunks_measured", measured},
                                           {"chunks", matrix.chunk_count}, {"datasets", matrix.datasets},
                                           {"seconds", watch.seconds()}};
    context.print(result.dump(2) + "\n");
    return {};
  }
  context.print(fmt::format("{}: inputs of {} weights over {} chunks of {} tokens, in {}\n", arguments.out,
                            matrix.entries.size(), matrix.chunk_count, matrix.chunk_size,
                            human_duration(watch.seconds())));
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  arguments->model.define(line);
  CLI::App& app = line.app();
  app.add_option("--data", arguments->data, "text file; UTF-8")->required();
  app.add_option("-o,--out", arguments->out, "file to write")->capture_default_str();
  app.add_option("--context", arguments->windows.context, "tokens of a chunk")->capture_default_str();
  app.add_option("--chunks", arguments->windows.chunks, "chunks from the start of the text; 0: all")
      ->capture_default_str();
  app.add_option("--merge", arguments->merge, "importance matrices to add, of other texts");
  app.add_flag("--special", arguments->allow_special,
               "read <|endoftext|> and the like in the text as special tokens");
  return [arguments](Context& context) { return run(*arguments, context); };
}

}  // namespace

Command imatrix_command() {
  return {
      .name = "imatrix",
      .group = Group::use,
      .summary = "measure which columns of its weights a model needs exact, for 'quern quantize --imatrix'",
      .details =
          "Runs the model over a text and sums the squares of what enters each linear map. A few hundred\n"
          "chunks of the kind of text that the model is for are enough. llama.cpp reads the file too.",
      .examples =
          "quern imatrix runs/demo/model --data calibration.txt --context 256 -o demo.imatrix.gguf\n"
          "quern imatrix model-f16.gguf --data code.txt --chunks 100 --merge prose.imatrix.gguf",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
