// quern embed
#include "infer/embed.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "cli/text_inputs.h"
#include "store/store.h"

namespace quern::cli {

namespace {

using infer::Pooling;

struct Arguments {
  std::string model;
  TextInputs inputs;
  DType dtype = DType::f32;
  std::string pooling;
  bool normalize = false, truncate = false, similarity = false;
};

const std::vector<std::pair<std::string, Pooling>> kPoolings{{"mean", Pooling::mean},
                                                             {"cls", Pooling::cls},
                                                             {"max", Pooling::max},
                                                             {"last", Pooling::last},
                                                             {"weighted-mean", Pooling::weighted_mean},
                                                             {"mean-sqrt-len", Pooling::mean_sqrt_len},
                                                             {"pooler", Pooling::pooler}};

// As the model says, but for what was said on the command line.
Result<infer::SentenceForm> form_of(const Arguments& arguments, const std::filesystem::path& path) {
  infer::SentenceForm form;
  const auto of_folder = infer::read_sentence_form(path);
  if (!of_folder.ok() && arguments.pooling.empty()) return of_folder.error();
  if (of_folder.ok() && *of_folder) form = **of_folder;
  for (const auto& [name, pooling] : kPoolings) {
    if (name == arguments.pooling) form.pooling = {pooling};
  }
  form.normalize = form.normalize || arguments.normalize;
  return form;
}

// Rows of cosines, wide enough to be compared by eye.
std::string similarity_text(const std::vector<infer::Embedding>& embeddings,
                            const std::vector<std::string>& texts) {
  std::string text;
  for (size_t i = 0; i < embeddings.size(); ++i) {
    for (const infer::Embedding& other : embeddings)
      text += fmt::format("{:7.4f} ", infer::cosine(embeddings[i], other));
    text += fmt::format(" {}\n", texts[i]);
  }
  return text;
}

nlohmann::ordered_json similarity_json(const std::vector<infer::Embedding>& embeddings) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const infer::Embedding& one : embeddings) {
    nlohmann::ordered_json row = nlohmann::ordered_json::array();
    for (const infer::Embedding& other : embeddings) row.push_back(infer::cosine(one, other));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<void> embed(const Arguments& arguments, Context& context) {
  QUERN_TRY(const std::filesystem::path path, store::Store().resolve(arguments.model));
  QUERN_TRY(const infer::SentenceForm form, form_of(arguments, path));
  QUERN_TRY(const std::vector<std::string> texts, arguments.inputs.read());
  QUERN_TRY(const infer::LoadedEncoder loaded, infer::open_encoder(path, arguments.dtype));
  const infer::EncoderSession session(loaded, form.longest);
  const InterruptGuard guard;
  const auto too_long = arguments.truncate ? infer::TooLong::truncate : infer::TooLong::refuse;
  QUERN_TRY(const std::vector<infer::Embedding> embeddings,
            infer::embed(session, texts, form, too_long, *context.progress));
  if (arguments.similarity) {
    context.print(context.json ? dump({{"texts", texts}, {"cosine", similarity_json(embeddings)}})
                               : similarity_text(embeddings, texts));
    return {};
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    const nlohmann::ordered_json vector(embeddings[i]);
    context.print(
        dump(context.json ? nlohmann::ordered_json{{"text", texts[i]}, {"embedding", vector}} : vector));
  }
  return {};
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  line.app()
      .add_option("MODEL", arguments->model, "folder or GGUF file of an encoder, or a name in the store")
      ->required();
  arguments->inputs.define(line);
  std::vector<std::string> names;
  names.reserve(std::size(kPoolings));
  for (const auto& [name, pooling] : kPoolings) names.push_back(name);
  line.app()
      .add_option("--pooling", arguments->pooling,
                  "how states of tokens become one vector [as the model says, else mean]")
      ->check(CLI::IsMember(names));
  line.app().add_flag("--normalize", arguments->normalize, "vectors of length 1");
  line.app().add_flag("--similarity", arguments->similarity,
                      "the cosine of each pair in place of the vectors");
  line.app().add_flag("--truncate", arguments->truncate, "of texts that are too long, read the beginning");
  line.choice("--dtype", arguments->dtype, "of activations",
              {{"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}});
  return [arguments](Context& context) { return embed(*arguments, context); };
}

}  // namespace

Command embed_command() {
  return {
      .name = "embed",
      .group = Group::use,
      .summary = "texts as vectors that tell how near their meanings are",
      .details =
          "Prints a JSON array for each text, in their order. Folders of sentence-transformers say how to\n"
          "pool and how long a text may be; for others --pooling chooses.",
      .examples =
          "quern embed all-minilm-l6-v2 \"A cat sleeps.\" \"A kitten naps.\" --similarity\n"
          "quern embed all-minilm-l6-v2 --data texts.txt --truncate > vectors.jsonl",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
