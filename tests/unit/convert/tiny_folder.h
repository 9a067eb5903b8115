// A model folder with a tokenizer, small enough for tests, but of rows that quantise.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "autograd/graph.h"
#include "base/file.h"
#include "model/family.h"
#include "model/save.h"
#include "support/source_dir.h"
#include "text/tokenizer.h"

namespace quern::convert {

// A path of this test alone, where nothing is.
inline std::filesystem::path fresh_path(const std::string& name) {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  std::string test = std::string(info->test_suite_name()) + "_" + info->name();
  std::ranges::replace(test, '/', '_');
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / ("quern_" + test + "_" + name);
  std::filesystem::remove_all(path);
  return path;
}

// LLaMA of one width for all matrices, with the byte-level tokenizer of the goldens.
inline std::filesystem::path tiny_folder(int64_t width = 32) {
  const std::filesystem::path golden = std::filesystem::path(QUERN_SOURCE_DIR) / "tests" / "golden";
  const std::string json = read_file(golden / "tokenizer" / "byte_level.json").value();
  const text::Tokenizer tokenizer =
      text::Tokenizer::from_json(json, R"({"eos_token": "<|endoftext|>", "chat_template": "{{ messages }}"})")
          .value();
  model::ModelConfig config = model::find_family("llama").value()->defaults();
  config.vocab_size = tokenizer.vocab_size();
  config.layers = 2;
  config.hidden = config.intermediate = width;
  config.heads = 4;
  config.kv_heads = 2;
  config.max_positions = 64;
  config.eos_tokens = {*tokenizer.special_ids().eos, 7};
  config.init_std = 0.05;
  const std::filesystem::path folder = fresh_path("folder");
  model::save_model(model::Decoder::create(config, 1).value(), folder).value();
  tokenizer.save(folder).value();
  return folder;
}

// Of one row of tokens.
inline Tensor logits_of(const model::Decoder& model) {
  const autograd::NoGrad no_grad;
  const Tensor tokens = Tensor::from(std::vector<int32_t>{3, 1, 4, 1, 5, 9, 2, 6}, {1, 8});
  return model.logits(model.hidden(tokens, nn::ForwardContext::causal(1, 8)));
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0.0;
  for (size_t i = 0; i < a.span<float>().size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(a.span<float>()[i] - b.span<float>()[i])));
  }
  return largest;
}

}  // namespace quern::convert
