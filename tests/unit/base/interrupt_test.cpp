#include "base/interrupt.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exception.h"

namespace quern {
namespace {

TEST(Interrupt, FirstSignalSetsTheFlag) {
  {
    const InterruptGuard guard;
    EXPECT_FALSE(InterruptGuard::requested());
    ::raise(SIGINT);
    EXPECT_TRUE(InterruptGuard::requested());
  }
  const InterruptGuard again;
  EXPECT_FALSE(InterruptGuard::requested());
}

TEST(Interrupt, SecondSignalEndsTheProcess) {
  const pid_t child = ::fork();
  if (child == 0) {
    const InterruptGuard guard;
    ::raise(SIGTERM);
    ::raise(SIGINT);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
}

TEST(Interrupt, WorkThatKeepsNothingIsLeftByAnException) {
  EXPECT_NO_THROW(throw_if_interrupted());  // nobody asked for signals
  const InterruptGuard guard;
  EXPECT_NO_THROW(throw_if_interrupted());
  ::raise(SIGINT);
  try {
    throw_if_interrupted();
    FAIL() << "went on";
  } catch (const Exception& exception) {
    EXPECT_EQ(exception.error().code, ErrorCode::cancelled);
  }
}

TEST(Interrupt, GuardsDoNotNest) {
  const InterruptGuard guard;
  EXPECT_THROW(InterruptGuard(), InternalError);
}

}  // namespace
}  // namespace quern
