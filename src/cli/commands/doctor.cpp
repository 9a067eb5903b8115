// quern doctor: what this machine offers, what Quern makes of it, and what stands in the way.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "backend/api/backend.h"
#include "base/cpu_features.h"
#include "base/machine.h"
#include "base/read_bandwidth.h"
#include "base/text_table.h"
#include "base/threads.h"
#include "base/units.h"
#include "base/version.h"
#include "cli/command_line.h"

namespace quern::cli {

namespace {

constexpr uint64_t kLittleMemory = uint64_t{2} << 30;
constexpr uint64_t kLittleDisk = uint64_t{5} << 30;
constexpr const char* kVariables[] = {"OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES",
                                      "OMP_WAIT_POLICY", "QUERN_ISA",     "QUERN_LOG"};

struct Finding {
  std::string problem;
  std::string advice;
};

struct Report {
  MachineInfo machine;
  std::string extensions;
  std::string active_table;
  std::vector<std::string> tables;
  std::vector<std::string> libraries;
  int threads = 1;
  uint64_t free_disk = 0;
  double bandwidth = 0;  // bytes per second
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<Finding> findings;
};

// Bytes per second that all threads together read from memory: the best of some passes.
double measure_bandwidth() {
  ReadBandwidth memory(bytes_beyond_caches());
  double best = 0.0;
  for (int pass = 0; pass < 5; ++pass) best = std::max(best, memory.measure());
  return best;
}

std::vector<Finding> find_trouble(const Report& report) {
  const MachineInfo& machine = report.machine;
  std::vector<Finding> findings;
  if (!cpu_features().avx2) {
    findings.push_back({"this CPU has no AVX2: kernels run in their scalar form, many times slower",
                        "use an x86-64 CPU made after 2013"});
  }
  if (std::getenv("QUERN_ISA") != nullptr) {
    findings.push_back({fmt::format("QUERN_ISA forces the kernel table '{}'", report.active_table),
                        "unset it, unless you are comparing"});
  }
  if (report.threads > machine.usable_cpus()) {
    findings.push_back({fmt::format("{} threads share {} usable CPUs", report.threads, machine.usable_cpus()),
                        fmt::format("use --threads {} or OMP_NUM_THREADS={}", machine.usable_cpus(),
                                    machine.usable_cpus())});
  }
  if (report.threads < machine.usable_cpus()) {
    findings.push_back(
        {fmt::format("only {} of {} usable CPUs are used", report.threads, machine.usable_cpus()),
         "raise or unset OMP_NUM_THREADS, or use --threads"});
  }
  if (machine.load > 1.5 * machine.logical_cpus) {
    findings.push_back({fmt::format("other programs are busy: {:.1f} running tasks on {} CPUs", machine.load,
                                    machine.logical_cpus),
                        "expect lower speed until they are done"});
  }
  if (machine.available_bytes < kLittleMemory) {
    findings.push_back({fmt::format("only {} of memory are available", human_bytes(machine.available_bytes)),
                        "'quern plan' tells how much a model needs"});
  }
  if (report.free_disk < kLittleDisk) {
    findings.push_back({fmt::format("only {} of disk are free in this folder", human_bytes(report.free_disk)),
                        "checkpoints of training take 16 bytes per parameter each"});
  }
  if (report.libraries.empty()) {
    findings.push_back(
        {"built without oneDNN: matrix products run in plain loops", "install libdnnl-dev and build again"});
  }
  return findings;
}

Report examine() {
  backend::register_backends();
  Report report;
  report.machine = machine_info();
  report.extensions = to_string(cpu_features());
  report.active_table = backend::active_table().name;
  for (const backend::KernelTable* table : backend::supported_tables())
    report.tables.emplace_back(table->name);
  for (const std::string_view library : backend::libraries()) report.libraries.emplace_back(library);
  report.threads = num_threads();
  report.free_disk = free_disk_bytes(".");
  report.bandwidth = measure_bandwidth();
  for (const char* name : kVariables) {
    if (const char* value = std::getenv(name)) report.environment.emplace_back(name, value);
  }
  report.findings = find_trouble(report);
  return report;
}

nlohmann::ordered_json to_json(const Report& report) {
  using Json = nlohmann::ordered_json;
  const MachineInfo& machine = report.machine;
  Json json = {{"version", version()},
               {"commit", commit()},
               {"cpu", machine.cpu},
               {"logical_cpus", machine.logical_cpus},
               {"allowed_cpus", machine.allowed_cpus},
               {"cpu_quota", machine.cpu_quota ? Json(*machine.cpu_quota) : Json(nullptr)},
               {"threads", report.threads},
               {"extensions", report.extensions},
               {"kernel_tables", report.tables},
               {"active_table", report.active_table},
               {"libraries", report.libraries},
               {"memory_bytes", machine.memory_bytes},
               {"available_bytes", machine.available_bytes},
               {"memory_limit_bytes", machine.memory_limit ? Json(*machine.memory_limit) : Json(nullptr)},
               {"read_bandwidth_bytes_per_second", report.bandwidth},
               {"free_disk_bytes", report.free_disk},
               {"environment", Json::object()},
               {"findings", Json::array()}};
  for (const auto& [name, value] : report.environment) json["environment"][name] = value;
  for (const Finding& finding : report.findings) {
    json["findings"].push_back({{"problem", finding.problem}, {"advice", finding.advice}});
  }
  return json;
}

std::string to_text(const Report& report) {
  const MachineInfo& machine = report.machine;
  TextTable table({"", ""});
  table.add({"Quern", fmt::format("{} ({}), {}", version(), commit(), compiler())});
  table.add({"CPU", machine.cpu});
  std::string cpus = fmt::format("{} of {} allowed", machine.allowed_cpus, machine.logical_cpus);
  if (machine.cpu_quota) cpus += fmt::format(", {:.1f} granted by the control group", *machine.cpu_quota);
  table.add({"CPUs", fmt::format("{}; {} threads used", cpus, report.threads)});
  table.add({"extensions", report.extensions.empty() ? "none" : report.extensions});
  table.add({"kernels", fmt::format("{} (of {})", report.active_table, fmt::join(report.tables, ", "))});
  table.add({"libraries", fmt::format("{}", fmt::join(report.libraries, ", "))});
  std::string memory = fmt::format("{} of {} available", human_bytes(machine.available_bytes),
                                   human_bytes(machine.memory_bytes));
  if (machine.memory_limit) memory += fmt::format(", limited to {}", human_bytes(*machine.memory_limit));
  table.add({"memory", memory});
  table.add(
      {"bandwidth", fmt::format("{:.1f} GB/s read by {} threads", report.bandwidth / 1e9, report.threads)});
  table.add({"disk", human_bytes(report.free_disk) + " free in this folder"});
  for (const auto& [name, value] : report.environment) table.add({name, value});
  std::string text = table.to_string();
  if (report.findings.empty()) return text + "\nNo trouble found.\n";
  text += "\n";
  for (const Finding& finding : report.findings) {
    text += fmt::format("warning: {}\n  hint: {}\n", finding.problem, finding.advice);
  }
  return text;
}

Result<void> run_doctor(Context& context) {
  const Report report = examine();
  context.print(context.json ? to_json(report).dump(2) + "\n" : to_text(report));
  return {};
}

}  // namespace

Command doctor_command() {
  return {.name = "doctor",
          .group = Group::help,
          .summary = "examine this machine: CPU, kernels, memory, limits, trouble",
          .details = {},
          .examples = "quern doctor\nquern doctor --json",
          .define = [](CommandLine&) -> Runner { return run_doctor; },
          .subcommands = {}};
}

}  // namespace quern::cli
