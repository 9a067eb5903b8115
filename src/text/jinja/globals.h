// The functions every template can call: range, dict, namespace, cycler, joiner, and those of transformers:
// raise_exception and strftime_now. (lipsum is left out.)
#pragma once

#include "text/jinja/interpreter.h"

namespace quern::text::jinja {

void define_globals(Interpreter& interpreter);

}  // namespace quern::text::jinja
