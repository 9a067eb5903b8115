// An adapter opened for use beside the model it belongs to.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "model/adapter.h"
#include "model/decoder.h"

namespace quern::infer {

// Immutable; thread-safe.
struct LoadedAdapter {
  std::string name;
  std::filesystem::path path;
  formats::PeftConfig config;
  const model::Decoder* model = nullptr;  // whose adapter it is
  uint64_t id = 0;                        // no other that was ever opened has it
  std::unique_ptr<const nn::Adapter> weights;
};

// Opens the PEFT folder `path` for `model`, which must outlive it. Errors of PeftFolder::open and load_adapter.
Result<std::shared_ptr<const LoadedAdapter>> open_adapter(std::string name, const model::Decoder& model,
                                                          const std::filesystem::path& path);

}  // namespace quern::infer
