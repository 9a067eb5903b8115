#include "base/text_table.h"

#include <gtest/gtest.h>

#include "base/exception.h"

namespace quern {
namespace {

TEST(TextTable, AlignsByDisplayedWidth) {
  TextTable table({"stage", ">tokens"});
  table.add({"größe", "7"});
  table.add({"x", "12345678"});
  EXPECT_EQ(table.to_string(),
            "stage    tokens\n"
            "-----  --------\n"
            "größe         7\n"
            "x      12345678\n");
}

TEST(TextTable, WithoutHeadersShowsRowsOnly) {
  TextTable table({"", ""});
  table.add({"a", ""});
  table.add({"bb", "c"});
  EXPECT_EQ(table.to_string(2), "  a\n  bb  c\n");
}

TEST(TextTable, RefusesRaggedRows) {
  TextTable table({"a", "b"});
  EXPECT_THROW(table.add({"1"}), InternalError);
}

}  // namespace
}  // namespace quern
