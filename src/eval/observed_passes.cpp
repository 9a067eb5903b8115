#include "eval/observed_passes.h"

#include <vector>

#include "autograd/graph.h"
#include "base/interrupt.h"
#include "eval/text_scorer.h"

namespace quern::eval {

Result<ObservedPasses> observe_passes(const model::Decoder& model, const EvaluationText& text,
                                      const WindowOptions& options, nn::LinearObserver& observer,
                                      std::string_view label, std::string_view unit, Progress& progress) {
  QUERN_CHECK(check_text_fits(text, options, model));
  QUERN_TRY(const std::vector<Window> windows,
            windows_over(static_cast<int64_t>(text.tokens.size()), options));
  const autograd::NoGrad no_grad;
  ProgressScope scope(progress, label, static_cast<int64_t>(windows.size()), unit);
  ObservedPasses passes;
  for (const Window& window : windows) {
    throw_if_interrupted();
    const std::vector<int32_t> shown = shown_tokens(text, window, options.method);
    const auto time = static_cast<int64_t>(shown.size());
    nn::ForwardContext context = nn::ForwardContext::causal(1, time);
    context.observer = &observer;
    model.hidden(Tensor::from(shown, {1, time}), context);
    passes.tokens += time;
    scope.update(++passes.windows);
  }
  return passes;
}

}  // namespace quern::eval
