// tests/golden/gpt2 as the reference program takes it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "gpt_reference.h"
#include "support/source_dir.h"

namespace quern::parity {

inline const std::filesystem::path kGpt2Golden =
    std::filesystem::path(QUERN_SOURCE_DIR) / "tests/golden/gpt2";

struct Gpt2Golden {
  formats::TensorArchive checkpoint = formats::TensorArchive::open(kGpt2Golden / "model.safetensors").value();
  formats::TensorArchive expected =
      formats::TensorArchive::open(kGpt2Golden / "expected.safetensors").value();
  gpt_reference::Config config{.V = 97, .N = 32, .C = 20, .H = 4, .L = 2};
  int B = 2, T = 12;
  std::vector<int> tokens = ids("input_ids"), targets = ids("targets");

  std::vector<float> floats(const std::string& name) const {
    const auto values = expected.tensor(name).value();
    return {values.data<float>(), values.data<float>() + values.numel()};
  }
  std::vector<int> ids(const std::string& name) const {
    const auto values = expected.tensor(name).value();
    return {values.data<int64_t>(), values.data<int64_t>() + values.numel()};
  }
  gpt_reference::Weights weights() const {
    gpt_reference::Weights weights(config);
    for (const auto& [name, values, is_matrix] : weights.parameters()) {
      const Tensor tensor = checkpoint.tensor(name).value();
      values->assign(tensor.data<float>(), tensor.data<float>() + tensor.numel());
    }
    return weights;
  }
};

}  // namespace quern::parity
