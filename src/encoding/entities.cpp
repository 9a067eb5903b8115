#include "encoding/entities.h"

#include <algorithm>

namespace quern::encoding {

namespace {

struct EntityTag {
  char prefix = 'O';
  std::string_view type;

  explicit EntityTag(std::string_view tag) {
    if (tag == "O" || tag.empty()) return;
    const bool prefixed =
        tag.size() > 1 && tag[1] == '-' && std::string_view("BIES").find(tag[0]) != std::string_view::npos;
    prefix = prefixed ? tag[0] : 'I';
    type = prefixed ? tag.substr(2) : tag;
  }
};

}  // namespace

std::vector<Entity> entities_of(std::span<const std::string_view> tags) {
  std::vector<Entity> entities;
  bool open = false;
  EntityTag before("O");
  for (size_t i = 0; i < tags.size(); ++i) {
    const EntityTag tag(tags[i]);
    const bool goes_on = open && tag.prefix != 'O' && tag.prefix != 'B' && tag.prefix != 'S' &&
                         tag.type == before.type && before.prefix != 'E' && before.prefix != 'S';
    if (goes_on) {
      entities.back().end = i + 1;
    } else if (tag.prefix != 'O') {
      entities.push_back({std::string(tag.type), i, i + 1});
    }
    open = tag.prefix != 'O';
    before = tag;
  }
  return entities;
}

void EntityCounts::add(const std::vector<Entity>& there, const std::vector<Entity>& said) {
  const auto in_both = std::ranges::count_if(
      said, [&](const Entity& one) { return std::ranges::find(there, one) != there.end(); });
  found += in_both;
  missed += static_cast<int64_t>(there.size()) - in_both;
  made_up += static_cast<int64_t>(said.size()) - in_both;
}

}  // namespace quern::encoding
