#include "writing/constitution.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/nearest.h"
#include "data/permutation.h"

namespace quern::writing {

namespace {

constexpr uint64_t kMostBytes = uint64_t{16} << 20;

struct PrincipleField {
  const char* name;
  std::string Principle::*text;
  bool needed;
};
constexpr std::array<PrincipleField, 4> kFields = {{{"name", &Principle::name, false},
                                                    {"critique", &Principle::critique, true},
                                                    {"revision", &Principle::revision, true},
                                                    {"preference", &Principle::preference, false}}};

Error bad_constitution(const std::string& where, std::string message) {
  return make_error(
      ErrorCode::invalid_argument, fmt::format("{}: {}", where, message),
      "a constitution is a list of principles, each with critique and revision, the requests that a "
      "model gets: configs/constitution.yaml is one");
}

std::string place_of(const std::string& path, const YAML::Node& node) {
  return node.Mark().line < 0 ? path : fmt::format("{}:{}", path, node.Mark().line + 1);
}

Result<Principle> read_principle(const YAML::Node& node, const std::string& path, size_t number) {
  const std::string where = place_of(path, node);
  if (!node.IsMap()) {
    return bad_constitution(where,
                            fmt::format("principle {}: expected a map with critique and revision", number));
  }
  Principle principle;
  for (const auto& entry : node) {
    const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const auto* const field = std::ranges::find(kFields, name, &PrincipleField::name);
    if (field == kFields.end()) {
      std::vector<std::string> known;
      for (const PrincipleField& each : kFields) known.emplace_back(each.name);
      const std::string hint = suggestion(name, known);
      return bad_constitution(
          place_of(path, entry.first),
          fmt::format("principle {}: unknown field '{}'{}{}", number, name, hint.empty() ? "" : "; ", hint));
    }
    if (!entry.second.IsScalar())
      return bad_constitution(place_of(path, entry.first),
                              fmt::format("principle {}: {}: expected text", number, name));
    principle.*field->text = std::string(trimmed(entry.second.Scalar()));
  }
  for (const PrincipleField& field : kFields)
    if (field.needed && (principle.*field.text).empty())
      return bad_constitution(where, fmt::format("principle {}: {} is missing", number, field.name));
  if (principle.name.empty()) principle.name = fmt::format("principle {}", number);
  return principle;
}

// Draws of preferences are others than those of critiques.
constexpr uint64_t kPreferences = 0x70726566;

}  // namespace

const Principle& Constitution::drawn(uint64_t seed, uint64_t item, uint64_t round) const {
  const uint64_t count = principles.size();
  // Every item has orders of its own, one behind the other.
  const uint64_t order = Hasher().add(item).add(round / count).result().low;
  return principles[data::Permutation(count, seed, order)(round % count)];
}

bool Constitution::has_preferences() const {
  return std::ranges::any_of(principles, [](const Principle& p) { return !p.preference.empty(); });
}

const Principle& Constitution::drawn_preference(uint64_t seed, uint64_t item) const {
  std::vector<const Principle*> known;
  for (const Principle& principle : principles)
    if (!principle.preference.empty()) known.push_back(&principle);
  const uint64_t order = Hasher().add(item).add(kPreferences).result().low;
  return *known[data::Permutation(known.size(), seed, order)(0)];
}

std::string Constitution::key() const {
  Hasher hasher;
  for (const Principle& p : principles) hasher.add(p.name).add(p.critique).add(p.revision).add(p.preference);
  return hasher.result().hex();
}

Result<Constitution> read_constitution(const std::filesystem::path& path) {
  QUERN_TRY(const std::string text, read_file(path, kMostBytes));
  try {
    YAML::Node list = YAML::Load(text);
    if (list.IsMap() && list["principles"]) list = YAML::Node(list["principles"]);
    if (!list.IsSequence() || list.size() == 0)
      return bad_constitution(path.string(), "there are no principles in it");
    Constitution constitution;
    for (const YAML::Node& node : list) {
      QUERN_TRY(Principle principle, read_principle(node, path.string(), constitution.principles.size() + 1));
      constitution.principles.push_back(std::move(principle));
    }
    return constitution;
  } catch (const YAML::Exception& broken) {
    return bad_constitution(fmt::format("{}:{}", path.string(), broken.mark.line + 1), broken.msg);
  }
}

}  // namespace quern::writing
