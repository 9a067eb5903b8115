#include "text/jinja/filters.h"

namespace quern::text::jinja {

const Builtin* find_filter(std::string_view name) {
  for (const Builtins table :
       {text_filters(), sequence_filters(), selection_filters(), number_filters(), markup_filters()}) {
    if (const Builtin* const found = find_builtin(table, name)) return found;
  }
  return nullptr;
}

}  // namespace quern::text::jinja
