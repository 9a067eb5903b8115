// A macro as a value: its definition and the scope it was defined in.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/scope.h"

namespace quern::text::jinja {

class MacroFunction : public Object {
 public:
  MacroFunction(const MacroDefinition& definition, ScopePtr closure)
      : definition_(definition), closure_(std::move(closure)) {}

  std::string_view type_name() const override { return "Macro"; }
  std::string repr(Heap& heap) const override;
  std::optional<Value> attribute(Heap& heap, std::string_view name) override;
  bool callable() const override { return true; }
  Value call(Interpreter& interpreter, const Arguments& arguments) override;
  void clear() override { closure_.reset(); }

 private:
  const MacroDefinition& definition_;
  ScopePtr closure_;
};

}  // namespace quern::text::jinja
