// Which kernel tables exist and which one is in force. Backends are registered once, by executables, at
// start-up.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/api/kernel_table.h"
#include "base/result.h"

namespace quern::backend {

// Registers every backend of this build and selects the best table of this CPU, or the one QUERN_ISA names.
// Defined in backend/registry, which executables link; idempotent.
void register_backends();

// Called by backends, best last. The table must live for ever.
void add_table(const KernelTable* table);
// Called by backends: a library they stand on, such as "oneDNN 2.6.3". For `quern version` and `quern
// doctor`.
void add_library(std::string name_and_version);
std::span<const std::string> libraries();
// Every table this CPU can run, the reference first. Tests walk it.
std::span<const KernelTable* const> supported_tables();
const KernelTable& reference_table();

const KernelTable& active_table();
// Selects by name; invalid_argument names the tables there are.
Result<void> select_table(std::string_view name);

// Another table for as long as this lives. Not thread-safe: for tests and benchmarks.
class ScopedTable {
 public:
  explicit ScopedTable(const KernelTable& table);
  ~ScopedTable();
  ScopedTable(const ScopedTable&) = delete;
  ScopedTable& operator=(const ScopedTable&) = delete;

 private:
  const KernelTable* previous_;
};

// Calls the active table's kernel, or the reference's when that slot is null or declines:
//   run(&KernelTable::norm, NormArgs{...});
// Throws InternalError when the reference declines too.
void note_fallback();
[[noreturn]] void throw_no_kernel();
int64_t fallback_count();  // how often the reference stood in, for tests and `quern doctor`

template <class Args>
void run(bool (*KernelTable::*slot)(const Args&), const Args& args) {
  const KernelTable& table = active_table();
  if (auto* kernel = table.*slot; kernel != nullptr && kernel(args)) return;
  if (&table != &reference_table()) {
    note_fallback();
    if (auto* kernel = reference_table().*slot; kernel != nullptr && kernel(args)) return;
  }
  throw_no_kernel();
}

}  // namespace quern::backend
