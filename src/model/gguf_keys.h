// Reads the metadata of one architecture and remembers the first value that is wrong, so that reading a config is
// a list of keys.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/gguf/metadata.h"

namespace quern::model {

class GgufKeys {
 public:
  // `metadata` must outlive the reader. Keys are put after "<architecture>." in the file.
  GgufKeys(const formats::GgufMetadata& metadata, std::string architecture)
      : metadata_(metadata), architecture_(std::move(architecture)) {}

  bool has(std::string_view key) const { return metadata_.find(full(key)) != nullptr; }
  // An integer in [low, high], or a list of the same one for each of `layers` layers. When it is absent, `fallback`;
  // without one that is an error. `low` after an error: finish() tells.
  int64_t count(std::string_view key, int64_t low, int64_t high, std::optional<int64_t> fallback = {},
                int64_t layers = 0);
  // Finite, and above 0 unless `may_be_zero`. A single-precision 1e-5 is 1e-5.
  double number(std::string_view key, std::optional<double> fallback, bool may_be_zero = false);
  std::string text(std::string_view key, const std::string& fallback);
  bool flag(std::string_view key, bool fallback);
  // Of each layer: a list of bool or of 0 and 1, or one number N, for which every N-th layer is false.
  std::vector<bool> pattern(std::string_view key, int64_t layers);

  // The first error so far.
  Result<void> finish() const;
  void fail(Error error);
  void wrong(std::string_view key, std::string_view expected);
  std::string full(std::string_view key) const { return architecture_ + "." + std::string(key); }

 private:
  std::optional<int64_t> per_layer(std::string_view key, int64_t layers);

  const formats::GgufMetadata& metadata_;
  std::string architecture_;
  std::optional<Error> error_;
};

}  // namespace quern::model
