// Text that is HTML: what `escape` and `safe` mark.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace quern::text::jinja {

// The text with & < > ' " as entities.
std::string escape(std::string_view text);
// The value as markup: escaped, unless it is markup already.
Value to_markup(Heap& heap, const Value& value);
// The text without tags and comments, its whitespace collapsed, and the common entities as characters.
std::string strip_tags(std::string_view text);

}  // namespace quern::text::jinja
