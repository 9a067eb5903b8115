// Templates from source to a tree.
#pragma once

#include <string_view>

#include "text/jinja/ast.h"

namespace quern::text::jinja {

// How deep brackets and tags may be nested, and operators may follow each other, in one template.
inline constexpr int kMaxSourceDepth = 150;

// The statements of normalised source (lexer.h). The language is that of Jinja 3.1 with the loop controls and
// {% generation %}; extends, include, import and from are refused as unsupported, and so are autoescape blocks.
// Throws Failure with a position.
Body parse(std::string_view source);

}  // namespace quern::text::jinja
