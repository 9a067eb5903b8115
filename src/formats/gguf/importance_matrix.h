// Importance matrices ("imatrix"): how large the inputs of each linear map are, column by column, over a text. They tell a
// quantiser which columns of a weight must be exact. The GGUF form that llama.cpp reads and writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace quern::formats {

struct ImportanceMatrix {
  // Of one weight [M, out, C] (M matrices, one for each expert; mostly 1).
  struct Entry {
    std::vector<float> sums;    // [M, C]: the sum over rows of each column of the input squared
    std::vector<float> counts;  // [M]: how many rows there were

    int64_t columns() const { return static_cast<int64_t>(sums.size() / counts.size()); }
    // [M, C]: the mean square of each column of the input; ones where a matrix was never used.
    std::vector<float> importance() const;
  };

  std::map<std::string, Entry> entries;  // by the name of the weight in GGUF ("blk.0.attn_q.weight")
  std::vector<std::string> datasets;     // the texts that were read
  uint32_t chunk_count = 0;              // how many chunks of how many tokens they had
  uint32_t chunk_size = 0;

  // Adds what `other` saw. conflict names an entry of another shape; chunks are counted in those of this one.
  Result<void> add(const ImportanceMatrix& other);
};

// Of a GGUF file, or of an older imatrix.dat (legacy_importance.h), whose entries of stacked matrices have one count for
// all. Errors of GgufArchive::open; invalid_argument for a GGUF file of something else; corrupt for entries whose parts do not
// fit together, or hold negative or not finite numbers.
Result<ImportanceMatrix> read_importance_matrix(const std::filesystem::path& path);
// Errors of GgufWriter: in particular names too long for GGUF.
Result<void> write_importance_matrix(const std::filesystem::path& path, const ImportanceMatrix& matrix);

}  // namespace quern::formats
