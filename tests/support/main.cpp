// Entry point of every test executable: registers the backends, then runs the tests in a temporary folder of this
// process, since others run beside it: TempDir() of gtest and std::filesystem::temp_directory_path() lead there.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "backend/api/backend.h"
#include "support/temp_dir.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const std::string folder = (quern::test::process_temp_dir().path() / "").string();
  setenv("TMPDIR", folder.c_str(), 1);
  setenv("TEST_TMPDIR", folder.c_str(), 1);
  quern::backend::register_backends();
  return RUN_ALL_TESTS();
}
