// Encoders to serve in tests: the tiny one of tests/golden/encoder_texts, and one that scores pairs with drawn weights.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "model/load.h"
#include "server/served_model.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"

namespace quern::server {

inline std::filesystem::path tiny_encoder_folder() {
  return std::filesystem::path(QUERN_SOURCE_DIR) / "tests" / "golden" / "encoder_texts";
}

inline ServedModel tiny_encoder(const std::string& name, int64_t most_waiting = 64) {
  const std::filesystem::path folder = tiny_encoder_folder();
  auto loaded = std::make_shared<const infer::LoadedEncoder>(infer::open_encoder(folder, DType::f32).value());
  return serve_encoder(name, std::move(loaded), *infer::read_sentence_form(folder).value(), most_waiting)
      .value();
}

inline ServedModel tiny_cross_encoder(const std::string& name) {
  const quern::test::TempDir folder;
  nlohmann::json json = read_json_file(tiny_encoder_folder() / "config.json").value();
  json["architectures"] = {"BertForSequenceClassification"};
  json["id2label"] = {{"0", "relevance"}};
  json["label2id"] = {{"relevance", 0}};
  write_file_atomic(folder / "config.json", json.dump()).value();
  model::Encoder model = model::Encoder::create(model::load_config(folder.path()).value(), 7).value();
  auto loaded = std::make_shared<const infer::LoadedEncoder>(infer::LoadedEncoder{
      infer::open_encoder(tiny_encoder_folder(), DType::f32).value().tokenizer, std::move(model)});
  return serve_encoder(name, std::move(loaded), {}, 64).value();
}

}  // namespace quern::server
