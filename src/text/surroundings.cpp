#include "text/surroundings.h"

namespace quern::text {

Json surroundings_json(const Surroundings& surroundings) {
  if (!surroundings.before && !surroundings.after) return Json();
  Json specials = Json::object();
  const auto special = [&specials](const NamedToken& token, int type_id) {
    specials[token.text] = {{"id", token.text}, {"ids", {token.id}}, {"tokens", {token.text}}};
    return Json{{"SpecialToken", {{"id", token.text}, {"type_id", type_id}}}};
  };
  Json single = Json::array(), pair = Json::array();
  const auto add = [&](Json& out, const char* name, int type_id, bool with_before) {
    if (surroundings.before && with_before) out.push_back(special(*surroundings.before, type_id));
    out.push_back({{"Sequence", {{"id", name}, {"type_id", type_id}}}});
    if (surroundings.after) out.push_back(special(*surroundings.after, type_id));
  };
  add(single, "A", 0, true);
  add(pair, "A", 0, true);
  add(pair, "B", 1, surroundings.before_second);
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", specials}};
}

}  // namespace quern::text
