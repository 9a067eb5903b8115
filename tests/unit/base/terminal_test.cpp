#include "base/terminal.h"

#include <gtest/gtest.h>

namespace quern::terminal {
namespace {

TEST(Terminal, ControlCharactersAreMadeHarmless) {
  EXPECT_EQ(without_controls("a\tb\nc \xC3\xA9 \xF0\x9F\x91\x8D"), "a\tb\nc \xC3\xA9 \xF0\x9F\x91\x8D");
  EXPECT_EQ(without_controls("\x1b[31mred\x07\r\x7F"), "\uFFFD[31mred\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(without_controls("\xC2\x9B"
                             "2J\xC2\xA0"),
            "\uFFFD"
            "2J\xC2\xA0");
}

}  // namespace
}  // namespace quern::terminal
