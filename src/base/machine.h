// The machine as this process may use it: processors and memory, within the limits of affinity and control
// groups.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace quern {

struct MachineInfo {
  std::string cpu;                       // brand, "unknown" when the system does not tell
  int logical_cpus = 1;                  // in the machine
  int allowed_cpus = 1;                  // by the affinity of this process
  std::optional<double> cpu_quota;       // CPUs' worth of time that the control group grants
  uint64_t memory_bytes = 0;             // in the machine
  uint64_t available_bytes = 0;          // without pushing others out, within the control group
  std::optional<uint64_t> memory_limit;  // of the control group
  double load = 0;                       // average number of running tasks in the last minute

  // Threads that can really run at once: allowed CPUs, or fewer under a quota; at least 1.
  int usable_cpus() const;
};

// Read anew at each call; thread-safe. What the system does not tell keeps its default.
MachineInfo machine_info();

// The most memory that this process held at once, mapped files that it read included; 0 when unknown.
uint64_t peak_resident_bytes();
// What it holds now.
uint64_t resident_bytes();

// Room left for this user on the disk that holds `path`; 0 when unknown.
uint64_t free_disk_bytes(const std::filesystem::path& path);

}  // namespace quern
