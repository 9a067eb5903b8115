// The adapters of a model that answers requests.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "infer/loaded_adapter.h"
#include "infer/loaded_model.h"

namespace quern::server {

// Thread-safe. A request keeps its adapter until it is answered, whatever happens to the table.
class AdapterTable {
 public:
  explicit AdapterTable(std::shared_ptr<const infer::LoadedModel> loaded) : loaded_(std::move(loaded)) {}

  // Opens the PEFT folder `path` under `name`, in place of what had that name. Errors of check_adapter_name and open_adapter.
  Result<void> load(const std::string& name, const std::filesystem::path& path);
  // False where there is none.
  bool unload(std::string_view name);
  // Null where there is none.
  std::shared_ptr<const infer::LoadedAdapter> find(std::string_view name) const;
  // By name.
  std::vector<std::shared_ptr<const infer::LoadedAdapter>> all() const;

 private:
  std::shared_ptr<const infer::LoadedModel> loaded_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const infer::LoadedAdapter>, std::less<>> adapters_;
};

// invalid_argument unless a name is letters, digits, '.', '-' and '_', 64 at most.
Result<void> check_adapter_name(const std::string& name);

}  // namespace quern::server
