#include "base/machine.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "base/cpu_features.h"
#include "base/file.h"

namespace quern {

namespace {

namespace fs = std::filesystem;

// The first word of a small system file, empty when there is none.
std::string first_word(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

// A number in a control-group file; nullopt for "max", nonsense, and the huge value that version 1 means
// "max" by.
std::optional<uint64_t> limit_in(const fs::path& path) {
  constexpr uint64_t kUnlimited = uint64_t{1} << 60;
  const std::string word = first_word(path);
  if (word.empty() || !std::ranges::all_of(word, [](unsigned char c) { return std::isdigit(c) != 0; }))
    return {};
  const uint64_t value = std::strtoull(word.c_str(), nullptr, 10);
  return value < kUnlimited ? std::optional(value) : std::nullopt;
}

// The folder of our control group (version 2) and those around it, innermost first; a limit in any of them
// binds.
std::vector<fs::path> control_groups() {
  const fs::path root = "/sys/fs/cgroup";
  std::ifstream file("/proc/self/cgroup");
  std::string own;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) own = line.substr(3);
  }
  std::vector<fs::path> groups;
  for (fs::path group = root / fs::path(own).relative_path(); group.string().size() >= root.string().size();
       group = group.parent_path()) {
    groups.push_back(group);
    if (group == root) break;
  }
  return groups;
}

std::optional<double> read_cpu_quota() {
  std::optional<double> least;
  const auto note = [&](double quota) { least = std::min(least.value_or(quota), quota); };
  for (const fs::path& group : control_groups()) {
    std::ifstream file(group / "cpu.max");
    std::string quota;
    double period = 0;
    if (file >> quota >> period && quota != "max" && period > 0) note(std::atof(quota.c_str()) / period);
  }
  const auto quota = limit_in("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const auto period = limit_in("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (quota && period && *period > 0) note(static_cast<double>(*quota) / static_cast<double>(*period));
  return least;
}

struct MemoryLimit {
  uint64_t limit;
  uint64_t used;
};

std::optional<MemoryLimit> read_memory_limit() {
  std::optional<MemoryLimit> tightest;
  const auto note = [&](const fs::path& limit_file, const fs::path& usage_file) {
    const auto limit = limit_in(limit_file);
    if (limit && (!tightest || *limit < tightest->limit))
      tightest = {*limit, limit_in(usage_file).value_or(0)};
  };
  for (const fs::path& group : control_groups()) note(group / "memory.max", group / "memory.current");
  const fs::path version1 = "/sys/fs/cgroup/memory";
  note(version1 / "memory.limit_in_bytes", version1 / "memory.usage_in_bytes");
  return tightest;
}

void read_memory(MachineInfo& info) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    uint64_t kib = 0;
    words >> key >> kib;
    if (key == "MemTotal:") info.memory_bytes = kib << 10;
    if (key == "MemAvailable:") info.available_bytes = kib << 10;
  }
  if (const auto limit = read_memory_limit(); limit && limit->limit < info.memory_bytes) {
    info.memory_limit = limit->limit;
    info.available_bytes = std::min(info.available_bytes, limit->limit - std::min(limit->used, limit->limit));
  }
}

}  // namespace

int MachineInfo::usable_cpus() const {
  const double quota = cpu_quota.value_or(allowed_cpus);
  return std::clamp(static_cast<int>(std::ceil(quota - 0.01)), 1, std::max(allowed_cpus, 1));
}

MachineInfo machine_info() {
  MachineInfo info;
  info.cpu = cpu_features().brand.empty() ? "unknown" : cpu_features().brand;
  info.logical_cpus = std::max<int>(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t set;
  info.allowed_cpus = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : info.logical_cpus;
  info.cpu_quota = read_cpu_quota();
  read_memory(info);
  (void)!::getloadavg(&info.load, 1);
  return info;
}

uint64_t peak_resident_bytes() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<uint64_t>(usage.ru_maxrss) << 10 : 0;
}

uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t all = 0, resident = 0;
  return file >> all >> resident ? resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

uint64_t free_disk_bytes(const fs::path& path) {
  std::error_code error;
  const fs::space_info space = fs::space(path, error);
  return error ? 0 : space.available;
}

}  // namespace quern
