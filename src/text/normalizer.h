// Normalizers of tokenizer.json: rewrite a segment before it is split. Stateless after loading, so
// thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "text/json_fields.h"
#include "text/segment.h"

namespace quern::text {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(Segment& segment) const = 0;
};
using Normalizers = std::vector<std::unique_ptr<Normalizer>>;

// The value of "normalizer" as a list, Sequences flattened; null gives an empty list.
// Errors: unsupported (names the type), corrupt (a wrong field).
Result<Normalizers> make_normalizers(const Json& component);

}  // namespace quern::text
