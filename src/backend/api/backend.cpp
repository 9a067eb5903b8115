#include "backend/api/backend.h"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace quern::backend {

namespace {
std::vector<const KernelTable*>& tables() {
  static std::vector<const KernelTable*> list;
  return list;
}
std::vector<std::string>& library_names() {
  static std::vector<std::string> names;
  return names;
}
const KernelTable* active = nullptr;
std::atomic<int64_t> fallbacks{0};
}  // namespace

void add_table(const KernelTable* table) {
  tables().push_back(table);
  active = table;
}

void add_library(std::string name_and_version) { library_names().push_back(std::move(name_and_version)); }
std::span<const std::string> libraries() { return library_names(); }

std::span<const KernelTable* const> supported_tables() { return tables(); }

const KernelTable& reference_table() {
  if (tables().empty())
    throw InternalError("no backend is registered: call backend::register_backends() first");
  return *tables().front();
}

const KernelTable& active_table() {
  if (active == nullptr)
    throw InternalError("no backend is registered: call backend::register_backends() first");
  return *active;
}

Result<void> select_table(std::string_view name) {
  std::string known;
  for (const KernelTable* table : tables()) {
    if (table->name == name) {
      active = table;
      return {};
    }
    known += (known.empty() ? "" : ", ") + std::string(table->name);
  }
  return make_error(ErrorCode::invalid_argument, "no kernel table '" + std::string(name) + "' on this CPU",
                    "choose one of: " + known);
}

ScopedTable::ScopedTable(const KernelTable& table) : previous_(active) { active = &table; }
ScopedTable::~ScopedTable() { active = previous_; }

void note_fallback() { fallbacks.fetch_add(1, std::memory_order_relaxed); }
int64_t fallback_count() { return fallbacks.load(std::memory_order_relaxed); }
void throw_no_kernel() { throw InternalError("no backend has a kernel for this call"); }

}  // namespace quern::backend
