// The methods of Python's types that templates may call.
#pragma once

#include "text/jinja/builtin.h"

namespace quern::text::jinja {

// The method of the type of `self`, or null.
const Builtin* find_method(const Value& self, std::string_view name);
// Whether the name is a method of Python that would change `self`.
bool is_mutation(const Value& self, std::string_view name);

// str.replace(): at most `limit` times unless negative; an empty `old` stands between all characters.
Value replace_text(Heap& heap, const Value& self, std::string_view old, std::string_view replacement,
                   int64_t limit);

Builtins text_methods();
Builtins list_methods();
Builtins dict_methods();

}  // namespace quern::text::jinja
