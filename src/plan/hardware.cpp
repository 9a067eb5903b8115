#include "plan/hardware.h"

#include <fmt/format.h>

#include <vector>

#include "base/nearest.h"

namespace quern::plan {

namespace {

constexpr double kT = 1e12, kG = 1e9;

// Peaks, memory and bandwidth: the vendors' data sheets, dense rates.
const std::vector<Hardware>& table() {
  static const std::vector<Hardware> all = {
      {"h200", 989 * kT, 67 * kT, 141 * kG, 4800 * kG, 3.8},
      {"h100", 989 * kT, 67 * kT, 80 * kG, 3350 * kG, 3.0},
      {"h100-pcie", 756 * kT, 51 * kT, 80 * kG, 2000 * kG, 2.5},
      {"a100-80gb", 312 * kT, 19.5 * kT, 80 * kG, 2039 * kG, 1.8},
      {"a100-40gb", 312 * kT, 19.5 * kT, 40 * kG, 1555 * kG, 1.3},
      {"l40s", 362 * kT, 91.6 * kT, 48 * kG, 864 * kG, 0.9},
      {"a6000", 154.8 * kT, 38.7 * kT, 48 * kG, 768 * kG, 0.8},
      {"rtx-4090", 165.2 * kT, 82.6 * kT, 24 * kG, 1008 * kG, 0.6},
      {"rtx-3090", 71 * kT, 35.6 * kT, 24 * kG, 936 * kG, 0.4},
      {"a10", 125 * kT, 31.2 * kT, 24 * kG, 600 * kG, 0.75},
      {"l4", 121 * kT, 30.3 * kT, 24 * kG, 300 * kG, 0.7},
      {"v100", 125 * kT, 15.7 * kT, 32 * kG, 900 * kG, 2.5},
      {"t4", 65 * kT, 8.1 * kT, 16 * kG, 320 * kG, 0.35},
  };
  return all;
}

}  // namespace

std::span<const Hardware> hardware() { return table(); }

Result<Hardware> find_hardware(std::string_view name) {
  std::vector<std::string> known;
  for (const Hardware& device : table()) {
    if (device.name == name) return device;
    known.push_back(device.name);
  }
  std::string hint = suggestion(name, known);
  if (hint.empty()) hint = "describe another one with --tflops, --memory, --bandwidth and --price";
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("hardware: expected one of {}, got '{}'", fmt::join(known, ", "), name),
                    hint);
}

}  // namespace quern::plan
