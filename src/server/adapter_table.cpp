#include "server/adapter_table.h"

#include <fmt/format.h>

#include "base/json.h"

namespace quern::server {

Result<void> check_adapter_name(const std::string& name) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
  if (!name.empty() && name.size() <= 64 && name.find_first_not_of(kLetters) == name.npos) return {};
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("{} is no name for an adapter", json_excerpt(name)),
                    "take up to 64 letters, digits, '.', '-' and '_'");
}

Result<void> AdapterTable::load(const std::string& name, const std::filesystem::path& path) {
  QUERN_CHECK(check_adapter_name(name));
  QUERN_TRY(std::shared_ptr<const infer::LoadedAdapter> opened,
            infer::open_adapter(name, loaded_->model, path));
  const std::lock_guard lock(mutex_);
  adapters_[name] = std::move(opened);
  return {};
}

bool AdapterTable::unload(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = adapters_.find(name);
  if (found == adapters_.end()) return false;
  adapters_.erase(found);
  return true;
}

std::shared_ptr<const infer::LoadedAdapter> AdapterTable::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = adapters_.find(name);
  return found == adapters_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const infer::LoadedAdapter>> AdapterTable::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const infer::LoadedAdapter>> list;
  for (const auto& [name, adapter] : adapters_) list.push_back(adapter);
  return list;
}

}  // namespace quern::server
