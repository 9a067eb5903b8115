#include "text/jinja/template.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/globals.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/json.h"
#include "text/jinja/lexer.h"
#include "text/jinja/parser.h"
#include "text/jinja/python_text.h"
#include "text/unicode.h"

namespace quern::text::jinja {

struct Template::Tree {
  std::string name;
  std::string source;  // normalised: positions are offsets into it
  Body body;
};

namespace {

Error located(const Failure& failure, std::string_view name, std::string_view source) {
  if (!failure.at) return make_error(failure.code, fmt::format("{}: {}", name, failure.message));
  const std::string_view before = source.substr(0, *failure.at);
  const auto line = std::ranges::count(before, '\n') + 1;
  const int64_t column = count_characters(before.substr(before.rfind('\n') + 1)) + 1;  // npos + 1 == 0
  return make_error(failure.code, fmt::format("{}:{}:{}: {}", name, line, column, failure.message));
}

}  // namespace

Result<Template> Template::parse(std::string_view source, std::string name) {
  if (source.size() > kMaxSource) {
    return make_error(ErrorCode::unsupported, fmt::format("{}: a template of {} bytes, expected at most {}",
                                                          name, source.size(), kMaxSource));
  }
  if (const size_t valid = valid_utf8_prefix(source); valid != source.size()) {
    return make_error(ErrorCode::corrupt, fmt::format("{}: not UTF-8 at byte {}", name, valid));
  }
  auto tree = std::make_shared<Tree>();
  tree->name = std::move(name);
  tree->source = normalize_source(source);
  try {
    tree->body = jinja::parse(tree->source);
  } catch (const Failure& failure) {
    return located(failure, tree->name, tree->source);
  }
  return Template(std::move(tree));
}

Result<Rendered> Template::render(const nlohmann::ordered_json& variables,
                                  const RenderOptions& options) const {
  Heap heap(options.limits);
  Interpreter interpreter(options.limits, heap, options.now.value_or(std::time(nullptr)));
  try {
    define_globals(interpreter);
    for (const auto& [name, value] : variables.items()) interpreter.define(name, from_json(heap, value));
    std::string text = interpreter.run(tree_->body);
    return Rendered{std::move(text), interpreter.generated()};
  } catch (const Failure& failure) {
    return located(failure, tree_->name, tree_->source);
  }
}

const std::string& Template::source() const { return tree_->source; }

}  // namespace quern::text::jinja
