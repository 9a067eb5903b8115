// Entities in rows of tags such as B-PER, I-PER and O, and how many of them were found (Tjong Kim Sang and De Meulder 2003).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "encoding/label_counts.h"

namespace quern::encoding {

struct Entity {
  std::string type;
  size_t begin = 0, end = 0;  // words [begin, end)
  bool operator==(const Entity&) const = default;
};

// As seqeval reads them by default, which forgives: B- and S- begin an entity, E- and S- end one, and so does another type;
// I- without a beginning begins one. Tags without a prefix are types that go on with what is before them.
std::vector<Entity> entities_of(std::span<const std::string_view> tags);

struct EntityCounts : FoundCounts {
  void add(const std::vector<Entity>& there, const std::vector<Entity>& said);
};

}  // namespace quern::encoding
