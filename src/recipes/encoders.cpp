#include "recipes/encoders.h"

#include <fmt/ranges.h>

#include "base/log.h"

namespace quern::recipes {

Result<model::Encoder> open_encoder(const std::string& path, const model::NewHead& head,
                                    DType compute_dtype) {
  std::vector<std::string> made;
  QUERN_TRY(model::Encoder model,
            model::load_encoder(path, head, {.trainable = true, .compute_dtype = compute_dtype}, made));
  if (!made.empty())
    log::info("train", "new, since {} has none that fits: {}", path,
              fmt::format("{}", fmt::join(made, ", ")));
  return model;
}

}  // namespace quern::recipes
