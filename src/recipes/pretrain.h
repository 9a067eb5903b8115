// Pretraining from text: corpus -> token files -> model -> trainer, with the tokenizer beside every saved
// weight.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/progress.h"
#include "data/token_corpus.h"
#include "infer/sampling.h"
#include "model/config.h"
#include "recipes/run_folder.h"
#include "text/tokenizer.h"
#include "train/options.h"
#include "train/trainer.h"

namespace quern::recipes {

// The `data:` section.
struct DataConfig {
  std::vector<std::string> inputs;
  std::vector<std::string> validation_inputs;
  data::ReaderOptions reader;
  data::SplitOptions split;
  bool special_tokens = true;   // "<|user|>" and the like in the text are read as special tokens
  bool assistant_only = false;  // in conversations, only what the assistant says is a target
  std::string cache;            // folder of token files; empty: OUT/tokens

  void fields(Fields& f);
};

// The `sample:` section: what the model writes while it trains.
struct SampleConfig {
  std::string prompt;  // empty: the beginning-of-text token, or a line break where there is none
  int64_t max_tokens = 128;
  infer::SamplingOptions sampling{.temperature = 0.8};

  void fields(Fields& f);
};

// What `quern train FILE` reads.
struct PretrainConfig {
  std::string out = "runs/pretrain";
  std::string tokenizer;
  std::string from;  // model folder to go on training; empty: a new model as `model:` says
  model::ModelConfig model;
  DataConfig data;
  train::TrainOptions train;
  SampleConfig sample;

  void fields(Fields& f);
  // invalid_argument where `tokenizer` or `data.inputs` is not set: no required fields, as other tasks have the same and do
  // without.
  Result<void> check_required(const Fields& loaded, const std::string& prefix = {}) const;
  // Completes the settings from each other once all are loaded: choices of the model that nobody made are
  // those of its family. `loaded` is the Fields the struct was loaded through, `prefix` what stood before its
  // keys there.
  Result<void> finish(const Fields& loaded, const std::string& prefix = {});
};

// The token files of the texts in `config`. `framed`: each document is between the tokens that begin and end a text.
Result<data::TokenCorpus> prepare_corpus(const PretrainConfig& config, const text::Tokenizer& tokenizer,
                                         bool framed, Progress& progress);

// Trains and leaves OUT/model, OUT/checkpoints, OUT/metrics.jsonl, OUT/tensorboard and OUT/run.json
// (settings, lineage, result). `config` must be finished. conflict when OUT holds a run and `how` says
// neither, unavailable while another process trains there.
Result<train::TrainSummary> pretrain(PretrainConfig config, const TrainHow& how);

// The result as run.json, reports and --json show it.
nlohmann::ordered_json figures_of(const train::TrainSummary& summary);

}  // namespace quern::recipes
