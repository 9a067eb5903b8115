// The tests: {{ subject is name(arguments) }}. All of Jinja 3.1. Each returns a bool.
#pragma once

#include "text/jinja/builtin.h"

namespace quern::text::jinja {

const Builtin* find_predicate(std::string_view name);

}  // namespace quern::text::jinja
