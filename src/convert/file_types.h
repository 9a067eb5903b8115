// Names for the way a whole file is quantised ("q4_k_m"), as llama.cpp has them: the type of most matrices, and which
// of them get more bits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace quern::convert {

struct FileType {
  std::string_view name;
  uint32_t id;  // general.file_type
  DType base;   // of most matrices
};

std::span<const FileType> file_types();
// In any case of letters; "q4_k" is q4_k_m. invalid_argument names the known ones.
Result<const FileType*> find_file_type(std::string_view name);
// The type of a single tensor that can be written, in any case of letters. invalid_argument names those there are.
Result<DType> find_tensor_type(std::string_view name);

// What the choice of a tensor's type depends on.
struct ModelFacts {
  std::string architecture = {};  // as GGUF names it
  int64_t layers = 0;
  int64_t experts = 0;          // of a mixture
  int64_t queries_per_key = 1;  // heads over kv_heads
  bool tied = false;            // the token embedding is the output projection, too
  bool importance = false;      // an importance matrix is at hand
};

// The type of tensor `name` in a file of `type`, before `fitting`. Vectors, norms, routers, tables of positions and of
// token types and what is no weight are kept as they are: `current`.
DType type_in_file(const FileType& type, std::string_view name, const Shape& shape, DType current,
                   const ModelFacts& facts);

// `wanted`, or where rows of `columns` are no whole blocks of it a type of smaller blocks and as many bits, or f16.
DType fitting(DType wanted, int64_t columns);

}  // namespace quern::convert
