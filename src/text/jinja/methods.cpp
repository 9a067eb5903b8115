#include "text/jinja/methods.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/range.h"

namespace quern::text::jinja {

const Builtin* find_method(const Value& self, std::string_view name) {
  switch (self.kind()) {
    case Value::Kind::text:
      return find_builtin(text_methods(), name);
    case Value::Kind::dict:
      return find_builtin(dict_methods(), name);
    case Value::Kind::list: {
      if (self.list().form > List::Form::tuple) return nullptr;
      const Builtin* const found = find_builtin(list_methods(), name);
      return self.is_form(List::Form::tuple) && name == "copy" ? nullptr : found;
    }
    case Value::Kind::object:
      return self.as<Range>() != nullptr && name != "copy" ? find_builtin(list_methods(), name) : nullptr;
    default:
      return nullptr;
  }
}

bool is_mutation(const Value& self, std::string_view name) {
  static constexpr std::string_view kOfLists[] = {"append", "clear", "pop",    "reverse",
                                                  "insert", "sort",  "extend", "remove"};
  static constexpr std::string_view kOfDicts[] = {"clear", "pop", "popitem", "setdefault", "update"};
  if (self.is_form(List::Form::list)) return std::ranges::find(kOfLists, name) != std::end(kOfLists);
  return self.is_dict() && std::ranges::find(kOfDicts, name) != std::end(kOfDicts);
}

}  // namespace quern::text::jinja
