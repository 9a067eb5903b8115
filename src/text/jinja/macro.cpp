#include "text/jinja/macro.h"

#include <fmt/format.h>

#include "text/jinja/interpreter.h"
#include "text/jinja/python_text.h"

namespace quern::text::jinja {

std::string MacroFunction::repr(Heap& heap) const {
  return definition_.name.empty() ? "<Macro anonymous>"
                                  : fmt::format("<Macro {}>", quoted_text(definition_.name));
}

std::optional<Value> MacroFunction::attribute(Heap& heap, std::string_view name) {
  if (name == "name") {
    return definition_.name.empty() ? Value() : make_text(heap, definition_.name);
  }
  if (name == "arguments") {
    Values names;
    for (const std::string& parameter : definition_.parameters) names.push_back(make_text(heap, parameter));
    return make_tuple(heap, std::move(names));
  }
  if (name == "catch_kwargs") return Value(definition_.uses_kwargs);
  if (name == "catch_varargs") return Value(definition_.uses_varargs);
  if (name == "caller") return Value(definition_.uses_caller);
  return std::nullopt;
}

Value MacroFunction::call(Interpreter& interpreter, const Arguments& arguments) {
  return interpreter.call_macro(definition_, closure_, arguments);
}

}  // namespace quern::text::jinja
