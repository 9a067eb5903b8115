// Passes over a text of which an observer sees what enters every linear map.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/progress.h"
#include "base/result.h"
#include "eval/evaluation_text.h"
#include "model/decoder.h"
#include "nn/context.h"

namespace quern::eval {

struct ObservedPasses {
  int64_t windows = 0;
  int64_t tokens = 0;  // that the model was shown
};

// Shows the model each window of a text; `label` and `unit` name that on the progress line. Errors of windows_over and check_text_fits.
// Throws `cancelled` when interrupted.
Result<ObservedPasses> observe_passes(const model::Decoder& model, const EvaluationText& text,
                                      const WindowOptions& options, nn::LinearObserver& observer,
                                      std::string_view label, std::string_view unit, Progress& progress);

}  // namespace quern::eval
