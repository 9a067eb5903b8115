// The registry itself: no op without a row, no row without an op.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <vector>

#include "support/op_rows/op_row.h"
#include "support/source_dir.h"

namespace quern::ops::rows {
namespace {

TEST(OpRows, EveryOpHasARow) {
  // Sources of src/ops that hold no op of their own.
  const std::set<std::string> helpers{"op_support", "rope_table",     "attention_mask",
                                      "kv_store",   "decoded_blocks", "logit_rows"};
  std::vector<std::string> ops;
  for (const auto& entry : std::filesystem::directory_iterator(QUERN_SOURCE_DIR "/src/ops")) {
    if (entry.path().extension() == ".cpp" && !helpers.contains(entry.path().stem()))
      ops.push_back(entry.path().stem());
  }
  EXPECT_THAT(op_names(), ::testing::UnorderedElementsAreArray(ops))
      << "add a row to tests/support/op_rows for each op";
}

TEST(OpRows, EveryRowHasCases) {
  for (const OpRow& row : op_rows()) EXPECT_FALSE(row.cases.empty()) << row.name;
}

}  // namespace
}  // namespace quern::ops::rows
