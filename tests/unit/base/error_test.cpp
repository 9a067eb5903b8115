#include "base/error.h"

#include <gtest/gtest.h>

#include <set>

#include "base/result.h"

namespace quern {
namespace {

TEST(Error, EveryCodeHasItsOwnExitCodeAndName) {
  std::set<int> exits;
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code) {
    const int exit_code = exit_code_of(static_cast<ErrorCode>(code));
    EXPECT_GE(exit_code, 2);
    EXPECT_LE(exit_code, 15);
    exits.insert(exit_code);
    names.insert(name_of(static_cast<ErrorCode>(code)));
    EXPECT_GE(http_status_of(static_cast<ErrorCode>(code)), 400);
  }
  EXPECT_EQ(exits.size(), static_cast<size_t>(ErrorCode::internal) + 1);
  EXPECT_EQ(names.size(), exits.size());
}

Result<int> half(int x) {
  if (x % 2 != 0) return make_error(ErrorCode::invalid_argument, "odd", "double it");
  return x / 2;
}
Result<int> quarter(int x) {
  QUERN_TRY(const int h, half(x));
  return half(h);
}
Result<void> check(int x) {
  QUERN_CHECK(half(x));
  return {};
}

TEST(Result, PassesValuesAndErrors) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_FALSE(quarter(7).ok());
  EXPECT_TRUE(check(2).ok());
  EXPECT_EQ(check(1).error().code, ErrorCode::invalid_argument);
  EXPECT_THROW(half(1).value(), Exception);
  EXPECT_EQ(half(1).error().to_string(), "odd\n  hint: double it");
  EXPECT_EQ(make_error(ErrorCode::io, "b").within("a").message, "a: b");
}

}  // namespace
}  // namespace quern
