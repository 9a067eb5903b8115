// Functions and bound methods as values.
#pragma once

#include <functional>
#include <string>

#include "text/jinja/builtin.h"

namespace quern::text::jinja {

class Function : public Object {
 public:
  using Body = std::function<Value(Interpreter&, const Arguments&)>;
  Function(std::string name, Body body) : name_(std::move(name)), body_(std::move(body)) {}

  std::string_view type_name() const override { return "function"; }
  std::string repr(Heap& heap) const override { return "<function " + name_ + ">"; }
  bool callable() const override { return true; }
  Value call(Interpreter& interpreter, const Arguments& arguments) override {
    return body_(interpreter, arguments);
  }

 private:
  std::string name_;
  Body body_;
};

// A method with its subject.
class BoundMethod : public Object {
 public:
  BoundMethod(const Builtin& method, Value self) : method_(method), self_(std::move(self)) {}

  std::string_view type_name() const override { return "builtin_function_or_method"; }
  std::string repr(Heap& heap) const override {
    return "<built-in method " + std::string(method_.name) + " of " +
           std::string(quern::text::jinja::type_name(self_)) + " object>";
  }
  bool callable() const override { return true; }
  Value call(Interpreter& interpreter, const Arguments& arguments) override {
    return method_.function(interpreter, self_, arguments);
  }

 private:
  const Builtin& method_;
  Value self_;
};

}  // namespace quern::text::jinja
