// The reference program computes what transformers and torch computed: it may then stand for them.
#include <gtest/gtest.h>

#include <algorithm>

#include "compare.h"
#include "gpt2_golden.h"
#include "gpt_reference.h"

namespace quern::parity {
namespace {

TEST(ReferenceVsGolden, Logits) {
  const Gpt2Golden golden;
  const auto acts =
      gpt_reference::forward(golden.config, golden.weights(), golden.tokens, golden.B, golden.T);
  EXPECT_LT(relative_difference(acts.logits, golden.floats("logits")), 2e-6);
}

TEST(ReferenceVsGolden, LossAndEveryGradient) {
  const Gpt2Golden golden;
  const auto weights = golden.weights();
  const auto acts = gpt_reference::forward(golden.config, weights, golden.tokens, golden.B, golden.T);
  EXPECT_NEAR(gpt_reference::loss(golden.config, acts.logits, golden.targets), golden.floats("loss")[0],
              2e-6);
  auto gradient = gpt_reference::backward(golden.config, weights, acts, golden.tokens, golden.targets,
                                          golden.B, golden.T);
  size_t compared = 0;
  for (const auto& [name, values, is_matrix] : gradient.parameters()) {
    EXPECT_LT(relative_difference(*values, golden.floats("grad." + name)), 1e-5) << name;
    ++compared;
  }
  EXPECT_EQ(compared, golden.checkpoint.entries().size());
}

TEST(ReferenceVsGolden, TenStepsOfAdamW) {
  const Gpt2Golden golden;
  auto weights = golden.weights();
  gpt_reference::AdamW optimizer(golden.config);
  for (float expected : golden.floats("losses")) {
    const auto acts = gpt_reference::forward(golden.config, weights, golden.tokens, golden.B, golden.T);
    EXPECT_NEAR(gpt_reference::loss(golden.config, acts.logits, golden.targets), expected, 1e-5)
        << "step " << optimizer.step;
    auto gradient = gpt_reference::backward(golden.config, weights, acts, golden.tokens, golden.targets,
                                            golden.B, golden.T);
    optimizer.update(weights, gradient);
  }
}

TEST(ReferenceVsGolden, GreedyContinuation) {
  const Gpt2Golden golden;
  const auto weights = golden.weights();
  std::vector<int> ids = golden.ids("prompt");
  for (int expected : golden.ids("generated")) {
    const auto logits = gpt_reference::forward(golden.config, weights, ids, 1, int(ids.size())).logits;
    const auto last = logits.end() - golden.config.V;
    ids.push_back(int(std::max_element(last, logits.end()) - last));
    ASSERT_EQ(ids.back(), expected);
  }
}

}  // namespace
}  // namespace quern::parity
