#include "convert/gguf_source.h"

#include <fmt/format.h>

#include "base/log.h"
#include "formats/hf_folder.h"
#include "infer/sentence_form.h"
#include "model/gguf_config.h"
#include "model/load.h"
#include "model/save.h"
#include "ops/cast.h"

namespace quern::convert {

namespace {

Result<formats::GgufContents> weights_of(const std::filesystem::path& folder,
                                         const model::ModelConfig& config, std::optional<DType> dtype,
                                         const std::filesystem::path& adapter) {
  QUERN_CHECK(model::check_gguf_family(config));
  const model::LoadOptions options{.adapter = adapter, .merged_dtype = dtype};
  if (config.kind == model::Kind::decoder) {
    QUERN_TRY(const model::Decoder model, model::load_model(folder, options));
    return model::gguf_contents(model, dtype);
  }
  if (config.kind == model::Kind::encoder_decoder) {
    QUERN_TRY(const model::EncoderDecoder model, model::load_encoder_decoder(folder, options));
    return model::gguf_contents(model, dtype);
  }
  QUERN_TRY(const model::Encoder model, model::load_encoder(folder, options));
  if (config.head == model::Head::masked_lm)
    log::warn("convert", "what fills masks is left out: GGUF files have encoders without a head");
  QUERN_TRY(formats::GgufContents contents, model::gguf_contents(model, dtype));
  QUERN_TRY(const auto form, infer::read_sentence_form(folder));
  if (form) QUERN_CHECK(infer::write_sentence_form(*form, contents.metadata));
  return contents;
}

Result<formats::GgufContents> from_folder(const std::filesystem::path& path, std::optional<DType> dtype,
                                          const std::filesystem::path& adapter) {
  QUERN_TRY(const formats::ModelFolder folder, formats::ModelFolder::open(path));
  QUERN_TRY(const model::ModelConfig config, model::load_config(folder.path()));
  QUERN_TRY(formats::GgufContents contents, weights_of(folder.path(), config, dtype, adapter));
  contents.metadata.set("general.name", model_name(path));
  contents.metadata.set("general.file_type", float_file_type(dtype.value_or(config.dtype)));
  QUERN_TRY(const text::Tokenizer tokenizer, text::Tokenizer::load(folder.path()));
  Result<text::GgufVocabulary> made = text::make_gguf_vocabulary(tokenizer, config.vocab_size);
  if (!made.ok()) return std::move(made).error().within(path.string());
  text::GgufVocabulary vocabulary = std::move(made).value();
  // What ends a text besides the tokenizer's end token: of a chat model, the end of a turn.
  for (const int64_t end : config.eos_tokens) {
    if (end < 0 || end >= config.vocab_size) {
      log::warn("convert",
                "the config ends texts with token {}, which its vocabulary of {} has not: left out", end,
                config.vocab_size);
      continue;
    }
    if (!vocabulary.eos) vocabulary.eos = static_cast<text::TokenId>(end);
    if (end == *vocabulary.eos) continue;
    contents.metadata.set("tokenizer.ggml.eot_token_id", static_cast<uint32_t>(end));
  }
  set_vocabulary(contents.metadata, std::move(vocabulary));
  return contents;
}

// A tensor of another file in `dtype`, where it is a matrix that is not kept wide.
void convert_to(DType dtype, formats::GgufEntry& entry) {
  const bool number = is_float(entry.dtype) || is_block(entry.dtype);
  if (entry.shape.rank() < 2 || !number || model::gguf_keeps_wide(entry.name)) return;
  entry.dtype = dtype;
  entry.tensor = [before = entry.tensor, dtype]() -> Result<Tensor> {
    QUERN_TRY(const Tensor tensor, before());
    return ops::cast(tensor, dtype);
  };
}

// Puts the weights that the adapter makes of those at `path` in the place of the ones in `contents`, a file's.
Result<void> merge(const std::filesystem::path& path, std::optional<DType> dtype,
                   const std::filesystem::path& adapter, formats::GgufContents& contents) {
  QUERN_TRY(const model::Decoder model, model::load_model(path, {.adapter = adapter, .merged_dtype = dtype}));
  QUERN_TRY(const formats::GgufContents merged, model::gguf_contents(model, std::nullopt));
  for (formats::GgufEntry& entry : contents.tensors) {
    if (const formats::GgufEntry* now = merged.find(entry.name)) entry = *now;
  }
  return {};
}

}  // namespace

std::string model_name(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path, ignored)) return path.stem().string();
  const std::filesystem::path full = std::filesystem::absolute(path).lexically_normal();
  const std::filesystem::path folder = full.has_filename() ? full : full.parent_path();
  return (folder.filename() == formats::kRunModel ? folder.parent_path() : folder).filename().string();
}

uint32_t float_file_type(DType dtype) { return dtype == DType::f32 ? 0 : dtype == DType::f16 ? 1 : 32; }

Result<formats::GgufContents> open_as_gguf(const std::filesystem::path& path, std::optional<DType> dtype,
                                           const std::filesystem::path& adapter) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return from_folder(path, dtype, adapter);
  QUERN_TRY(const formats::GgufArchive archive, formats::GgufArchive::open(path));
  QUERN_TRY(formats::GgufContents contents, formats::contents_of(archive));
  if (!adapter.empty()) QUERN_CHECK(merge(path, dtype, adapter, contents));
  if (!dtype) return contents;
  for (formats::GgufEntry& entry : contents.tensors) convert_to(*dtype, entry);
  contents.metadata.set("general.file_type", float_file_type(*dtype));
  return contents;
}

void set_vocabulary(formats::GgufMetadata& metadata, text::GgufVocabulary vocabulary) {
  const auto put = [&](std::string_view name, auto value) {
    metadata.set(fmt::format("tokenizer.ggml.{}", name), formats::GgufValue(std::move(value)));
  };
  const auto put_list = [&](std::string_view name, auto values) {
    if (!values.empty()) put(name, formats::GgufArray(std::move(values)));
  };
  put("model", std::move(vocabulary.model));
  put("pre", std::move(vocabulary.pre));
  put_list("tokens", std::move(vocabulary.tokens));
  put_list("scores", std::move(vocabulary.scores));
  put_list("token_type", std::move(vocabulary.types));
  put_list("merges", std::move(vocabulary.merges));
  for (const auto& [name, id] : {std::pair{"bos", vocabulary.bos},
                                 {"eos", vocabulary.eos},
                                 {"unknown", vocabulary.unk},
                                 {"seperator", vocabulary.sep},  // the spelling of the specification
                                 {"padding", vocabulary.pad},
                                 {"cls", vocabulary.cls},
                                 {"mask", vocabulary.mask}}) {
    if (id) put(fmt::format("{}_token_id", name), static_cast<uint32_t>(*id));
  }
  for (const auto& [name, flag] : {std::pair{"add_bos_token", vocabulary.add_bos},
                                   {"add_eos_token", vocabulary.add_eos},
                                   {"add_sep_token", vocabulary.add_sep},
                                   {"add_space_prefix", vocabulary.add_space_prefix},
                                   {"remove_extra_whitespaces", vocabulary.remove_extra_whitespaces},
                                   {"normalizer.lowercase", vocabulary.lowercase},
                                   {"normalizer.strip_accents", vocabulary.strip_accents}}) {
    if (flag) put(name, *flag);
  }
  const std::string& charsmap = vocabulary.precompiled_charsmap;
  put_list("precompiled_charsmap", std::vector<uint8_t>(charsmap.begin(), charsmap.end()));
  if (!vocabulary.chat_template.empty())
    metadata.set("tokenizer.chat_template", std::move(vocabulary.chat_template));
}

}  // namespace quern::convert
