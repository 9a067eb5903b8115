// The filters: {{ subject | name(arguments) }}. All of Jinja 3.1 but pprint, random, urlize and wordwrap;
// tojson is that of transformers.
#pragma once

#include "text/jinja/builtin.h"

namespace quern::text::jinja {

const Builtin* find_filter(std::string_view name);

// Parts of the table, by what they work on.
Builtins text_filters();
Builtins markup_filters();
Builtins number_filters();
Builtins sequence_filters();
Builtins selection_filters();

}  // namespace quern::text::jinja
