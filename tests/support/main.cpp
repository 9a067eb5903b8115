// Entry point of every test executable: registers the backends, then runs the tests.
#include <gtest/gtest.h>

#include "backend/api/backend.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  quern::backend::register_backends();
  return RUN_ALL_TESTS();
}
