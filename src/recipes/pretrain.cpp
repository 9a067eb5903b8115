#include "recipes/pretrain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/units.h"
#include "infer/completion.h"
#include "infer/generate.h"
#include "infer/template_probe.h"
#include "model/family.h"
#include "model/load.h"
#include "plan/training_memory.h"
#include "recipes/tokenizer_training.h"
#include "recipes/training_run.h"
#include "text/chat_prompt.h"
#include "text/tokenizer.h"
#include "train/pretraining.h"

namespace quern::recipes {

namespace fs = std::filesystem;

void DataConfig::fields(Fields& f) {
  f.add("inputs", inputs, "files or folders: .txt, .jsonl, also .gz or .zst");
  f.add("split_on", reader.split_on,
        "text files: what stands between documents; empty: one document per file");
  f.add("text_field", reader.text_field, "JSONL: the field with the text");
  f.add("invalid_utf8", reader.invalid_utf8, "what to do with text that is not UTF-8",
        {{"replace", data::InvalidUtf8::replace},
         {"refuse", data::InvalidUtf8::refuse},
         {"skip", data::InvalidUtf8::skip}});
  f.add("validation", split.fraction, "share held out for validation").range(0, 0.9);
  f.add("validation_inputs", validation_inputs, "files or folders for validation, in place of a share");
  f.add("split", split.mode,
        "what is held out: documents by their hash, the tail of the text, or whichever fits",
        {{"auto", data::SplitMode::automatic},
         {"hash", data::SplitMode::hash},
         {"tail", data::SplitMode::tail}});
  f.add("special_tokens", special_tokens,
        "read special tokens in the text as such; off for text nobody checked");
  f.add("assistant_only", assistant_only, "in conversations, learn only what the assistant says");
  f.add("cache", cache, "folder of token files; empty: OUT/tokens");
}

void SampleConfig::fields(Fields& f) {
  f.add("prompt", prompt, "what samples go on from");
  f.add("max_tokens", max_tokens, "length of a sample").at_least(1);
  sampling.fields(f);
}

void PretrainConfig::fields(Fields& f) {
  f.add("out", out, "folder of the run").required();
  f.add("tokenizer", tokenizer, "folder with tokenizer.json");
  f.add("from", from, "model folder to go on training; empty: a new model");
  f.group("model", model);
  f.group("data", data);
  f.group("train", train);
  f.group("sample", sample);
}

Result<void> PretrainConfig::check_required(const Fields& loaded, const std::string& prefix) const {
  for (const auto& [key, missing] :
       {std::pair{prefix + "tokenizer", tokenizer.empty()}, {prefix + "data.inputs", data.inputs.empty()}}) {
    if (!missing) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} is not set ({})", key, loaded.find(key)->help()),
                      fmt::format("add it to the config file or use --set {}=...", key));
  }
  return {};
}

Result<void> PretrainConfig::finish(const Fields& loaded, const std::string& prefix) {
  QUERN_CHECK(train.finish());
  if (!data.validation_inputs.empty()) {
    for (const Field& field : loaded.all()) {
      if (field.key() == prefix + "data.validation" && !field.origin().empty() && data.split.fraction > 0)
        return make_error(
            ErrorCode::invalid_argument,
            fmt::format("{} is set at {}, and data.validation_inputs too", field.key(), field.origin()),
            "drop one: a share of the inputs is held out, or other files are");
    }
    data.split.fraction = 0;
  }
  const std::string section = prefix + "model.";
  if (!from.empty()) {
    for (const Field& field : loaded.all()) {
      if (field.key().starts_with(section) && !field.origin().empty()) {
        return make_error(
            ErrorCode::invalid_argument,
            fmt::format("{} is set at {}, but the model comes from {}", field.key(), field.origin(), from),
            "drop it, or drop `from` to start a new model");
      }
    }
    return {};
  }
  QUERN_TRY(const model::Family* family, model::find_family(model.family));
  QUERN_TRY(model, model::with_settings(family->defaults(), loaded, section));
  // T5 whose projection is the table scales what enters it, and transformers 4 does so whatever the config says.
  if (model.family == "t5" && model.tied_embeddings && !loaded.is_set(section + "final_state_scale"))
    model.final_state_scale = 1.0 / std::sqrt(static_cast<double>(std::max<int64_t>(model.hidden, 1)));
  // Shapes that fit no model, and choices that config.json of the family has no words for, are errors before
  // hours of work. Sizes that follow later stand in as the smallest.
  model::ModelConfig probe = model;
  if (probe.vocab_size == 0) probe.vocab_size = std::max<int64_t>(1, probe.start_token + 1);
  if (probe.max_positions == 0) probe.max_positions = train.sequence_lengths.max();
  QUERN_CHECK(model::write_config(probe));
  // The tokenizer's, unless somebody chose one.
  if (!loaded.is_set(section + "start_token")) model.start_token = -1;
  return {};
}

Result<data::TokenCorpus> prepare_corpus(const PretrainConfig& config, const text::Tokenizer& tokenizer,
                                         bool framed, Progress& progress) {
  data::Tokenization tokenization;
  tokenization.encode = [&](std::string_view text, std::vector<int32_t>& ids) {
    tokenizer.encode(text, ids, {.add_special_tokens = false, .allow_special = config.data.special_tokens});
  };
  tokenization.vocab_size = tokenizer.vocab_size();
  tokenization.fingerprint = hash128(tokenizer.to_json()).hex() +
                             (config.data.special_tokens ? "+special" : "") + (framed ? "" : "+bare");
  tokenization.begin = framed ? tokenizer.special_ids().bos.value_or(-1) : -1;
  tokenization.end = framed ? tokenizer.special_ids().eos.value_or(-1) : -1;
  data::TokenCorpusOptions options;
  options.inputs = config.data.inputs;
  options.reader = config.data.reader;
  options.split = config.data.split;
  options.folder = config.data.cache.empty() ? (fs::path(config.out) / "tokens").string() : config.data.cache;
  QUERN_TRY(data::TokenCorpus corpus, data::prepare_tokens(options, tokenization, progress));
  if (!config.data.validation_inputs.empty()) {
    options.inputs = config.data.validation_inputs;
    QUERN_TRY(data::TokenCorpus held_out, data::prepare_tokens(options, tokenization, progress));
    corpus.validation = std::move(held_out.train);
  }
  if (const data::CorpusStatistics& s = corpus.statistics; s.invalid_documents > 0) {
    log::warn("data", "{} documents are not valid UTF-8; {} bad sequences became U+FFFD", s.invalid_documents,
              s.replacements);
  }
  return corpus;
}

namespace {

// The tokens around what the assistant says: the template's generated part, with what it writes before.
Result<data::ChatTokens> chat_tokens(const text::Tokenizer& tokenizer, const text::ChatTemplates& templates) {
  const Error none = make_error(
      ErrorCode::invalid_argument,
      "data.assistant_only: the chat template of the tokenizer does not mark what the assistant says",
      "train the tokenizer with --set chat=true");
  text::ChatRequest request;
  for (const char* role : {"user", "assistant"})
    request.messages.push_back({{"role", role}, {"content", "x"}});
  const auto probe = templates.render(request);
  if (!probe.ok() || probe->generated.size() != 1) return none;
  const auto [begin, end] = probe->generated[0];
  const auto encode = [&](size_t from, size_t to) {
    return tokenizer.encode(std::string_view(probe->text).substr(from, to - from),
                            {.add_special_tokens = false});
  };
  const std::vector<int32_t> before = encode(0, begin), said = encode(begin, end);
  const auto user = std::ranges::find_if(
      before, [&](int32_t t) { return tokenizer.is_special(t) && t != tokenizer.special_ids().bos; });
  if (user == before.end() || !tokenizer.is_special(before.back()) || said.empty() ||
      !tokenizer.is_special(said.back()))
    return none;
  return data::ChatTokens{*user, before.back(), said.back()};
}

// The ids a model needs to know of its tokenizer.
void take_token_ids(model::ModelConfig& model, const text::Tokenizer& tokenizer,
                    const text::ChatTemplates& templates) {
  const text::SpecialIds& ids = tokenizer.special_ids();
  if (model.vocab_size == 0) model.vocab_size = tokenizer.vocab_size();
  if (model.bos_token < 0) model.bos_token = ids.bos.value_or(-1);
  if (model.eos_tokens.empty()) {
    if (ids.eos) model.eos_tokens = {*ids.eos};
    const auto probe = infer::probe_template(templates, tokenizer);
    if (probe.ok() && probe->turn_end && probe->turn_end != ids.eos)
      model.eos_tokens.push_back(*probe->turn_end);
  }
  if (model.pad_token < 0) model.pad_token = ids.pad.value_or(-1);
}

// A model with fewer tokens than its tokenizer would train on a corpus without the others, and then not open.
Result<void> expect_room_for(const text::Tokenizer& tokenizer, const model::ModelConfig& model,
                             std::string hint) {
  if (tokenizer.vocab_size() <= model.vocab_size) return {};
  return make_error(ErrorCode::conflict,
                    fmt::format("the tokenizer has {} tokens, but the model has a vocabulary of {}",
                                tokenizer.vocab_size(), model.vocab_size),
                    std::move(hint));
}

// A run that cannot fit would be ended by the system without a word, hours later perhaps.
Result<void> expect_memory(const model::ModelConfig& config, const train::TrainOptions& options) {
  QUERN_TRY(const model::Decoder structure, model::Decoder::create(config));
  const int64_t batch = options.batch_sizes.max();
  plan::TrainingSetup setup;
  setup.batch = options.micro_batch > 0 ? std::min(options.micro_batch, batch) : batch;
  setup.sequence = options.sequence_lengths.max();
  setup.dtype = options.dtype;
  QUERN_TRY(const plan::TrainingMemory memory,
            plan::training_memory(structure, setup, plan::TrainingMethod::full));
  const auto needed = static_cast<uint64_t>(memory.total(options.checkpointing));
  const MachineInfo machine = machine_info();
  const uint64_t limit = std::min(machine.memory_bytes, machine.memory_limit.value_or(UINT64_MAX));
  const std::string hint =
      "smaller train.micro_batch or train.sequence, train.checkpointing=true, train.dtype=bf16, or a smaller "
      "model; "
      "'quern plan' shows what needs how much";
  if (limit > 0 && needed > limit) {
    return make_error(ErrorCode::out_of_memory,
                      fmt::format("this training needs about {}, but the machine has {}", human_bytes(needed),
                                  human_bytes(limit)),
                      hint);
  }
  if (machine.available_bytes > 0 && needed > machine.available_bytes) {
    log::warn("train", "this training needs about {}, but {} are available: {}", human_bytes(needed),
              human_bytes(machine.available_bytes), hint);
  }
  return {};
}

Result<model::Decoder> make_model(PretrainConfig& config, const text::Tokenizer& tokenizer,
                                  const text::ChatTemplates& templates) {
  if (!config.from.empty()) {
    QUERN_TRY(model::Decoder model,
              model::load_model(config.from, {.trainable = true, .compute_dtype = config.train.dtype}));
    QUERN_CHECK(
        expect_room_for(tokenizer, model.config(), "train with the tokenizer the model was made for"));
    return model;
  }
  take_token_ids(config.model, tokenizer, templates);
  warn_of_foreign_split("train", config.model.family, tokenizer);
  QUERN_CHECK(expect_room_for(tokenizer, config.model, "leave model.vocab_size out to take the tokenizer's"));
  if (config.model.max_positions == 0) config.model.max_positions = config.train.sequence_lengths.max();
  QUERN_CHECK(expect_memory(config.model, config.train));
  return model::Decoder::create(config.model, config.train.seed);
}

// What samples go on from; an error now rather than at the first sample.
Result<std::vector<int32_t>> sample_prompt(const model::ModelConfig& model, const text::Tokenizer& tokenizer,
                                           const std::string& text) {
  std::vector<int32_t> prompt = infer::encode_prompt(tokenizer, text);
  if (prompt.empty()) prompt = tokenizer.encode("\n");
  if (static_cast<int64_t>(prompt.size()) <= model.max_positions) return prompt;
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("sample.prompt has {} tokens, but the model has {} positions", prompt.size(),
                                model.max_positions),
                    "shorten it");
}

// A sample of text from the model as it stands.
Result<train::TextSample> write_sample(const model::Decoder& model, const text::Tokenizer& tokenizer,
                                       const std::vector<int32_t>& prompt, const SampleConfig& how) {
  infer::Session session(model, static_cast<int64_t>(prompt.size()) + how.max_tokens);
  QUERN_CHECK(session.set_tokens(prompt));
  infer::GenerateOptions options;
  options.sampling = how.sampling;
  options.max_tokens = how.max_tokens;
  for (const int64_t id : model.config().eos_tokens) options.end_tokens.push_back(static_cast<int32_t>(id));
  std::vector<int32_t> written;
  infer::generate(session, options, [&](const infer::SampledToken& token) {
    written.push_back(token.id);
    return true;
  });
  return train::TextSample{how.prompt, tokenizer.decode(written)};
}

}  // namespace

nlohmann::ordered_json figures_of(const train::TrainSummary& summary) {
  nlohmann::ordered_json json = {
      {"steps", summary.steps},
      {"tokens", summary.tokens},
      {"seconds", summary.seconds},
      {"tokens_per_second", static_cast<double>(summary.tokens) / std::max(summary.seconds, 1e-9)},
      {"train_loss", summary.train_loss},
      {"stopped_early", summary.stopped_early}};
  if (summary.evaluation) {
    json["validation_loss"] = summary.evaluation->loss;
    for (const auto& [name, value] : summary.evaluation->figures) json[name] = value;
    json["best_validation_loss"] = summary.best_loss;
    json["best_step"] = summary.best_step;
  }
  return json;
}

Result<train::TrainSummary> pretrain(PretrainConfig config, const TrainHow& how) {
  QUERN_TRY(const text::Tokenizer tokenizer, text::Tokenizer::load(config.tokenizer));
  QUERN_TRY(text::ChatTemplates templates, text::ChatTemplates::load(config.tokenizer));
  templates.set_special_token("bos_token", "");  // begins every document anyway
  if (!templates.empty()) config.data.reader.chat = templates;
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.out));
  QUERN_CHECK(refuse_to_overwrite(config.out, how));
  if (config.data.assistant_only) {
    QUERN_TRY(config.train.assistant_only, chat_tokens(tokenizer, templates));
  }
  QUERN_TRY(data::TokenCorpus corpus, prepare_corpus(config, tokenizer, true, *how.progress));
  QUERN_TRY(model::Decoder model, make_model(config, tokenizer, templates));
  log::info("train", "{} parameters, {} training and {} validation tokens",
            human_count(static_cast<double>(nn::parameter_count(model))),
            human_count(static_cast<double>(corpus.train.token_count())),
            human_count(static_cast<double>(corpus.validation.token_count())));
  QUERN_TRY(const std::vector<int32_t> prompt,
            sample_prompt(model.config(), tokenizer, config.sample.prompt));
  train::TrainHooks hooks;
  hooks.save_extras = [&](const fs::path& folder) { return tokenizer.save(folder); };
  hooks.sample = [&] { return write_sample(model, tokenizer, prompt, config.sample); };
  QUERN_TRY(train::Pretraining objective,
            train::Pretraining::create(model, corpus.train, corpus.validation, config.train));
  QUERN_TRY(train::TrainSummary summary,
            run_training(std::make_unique<train::WholeModel>(model),
                         std::make_unique<train::Pretraining>(std::move(objective)), config.train, config.out,
                         std::move(hooks), how));
  QUERN_CHECK(write_run_record(config.out, fields_of(config).to_json(),
                               {{"tokenizer", hash128(tokenizer.to_json()).hex()},
                                {"train_tokens", fmt::format("{:016x}", corpus.train.key())},
                                {"train_token_count", corpus.train.token_count()},
                                {"validation_token_count", corpus.validation.token_count()}},
                               figures_of(summary)));
  return summary;
}

}  // namespace quern::recipes
