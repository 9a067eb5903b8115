// Jinja templates as chat models ship them: parse once, render often. The language and its environment are those
// of transformers (a sandbox of Jinja 3.1 with trim_blocks, lstrip_blocks, loop controls and {% generation %}).
//
// Templates are hostile input: nesting is limited when parsing, and a rendering has a budget of work, memory and
// output. They can reach nothing but the variables they are given.
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/jinja/heap.h"

namespace quern::text::jinja {

// Bytes of source that parse() takes.
inline constexpr size_t kMaxSource = size_t{4} << 20;

struct Rendered {
  std::string text;
  // The parts of `text`, in bytes, that came from {% generation %} blocks: begin and end.
  std::vector<std::pair<size_t, size_t>> generated;
};

struct RenderOptions {
  Limits limits;
  std::optional<std::time_t> now;  // what strftime_now() tells, in local time; the clock's when not given
};

// Copies share the parsed tree. render() is thread-safe.
class Template {
 public:
  // `name` is what errors call the template. Errors: corrupt with "name:line:column: ..." for bad syntax,
  // unsupported for include, import and the like, unknown filters, and what passes the limits of nesting.
  static Result<Template> parse(std::string_view source, std::string name);

  // Renders with the entries of `variables`, an object in the order the text was written. Errors carry the
  // place: invalid_argument for what the template refuses (raise_exception) or Python would, permission for
  // what the sandbox forbids, deadline and out_of_memory for what passes the budget.
  Result<Rendered> render(const nlohmann::ordered_json& variables, const RenderOptions& options = {}) const;

  const std::string& source() const;

 private:
  struct Tree;
  explicit Template(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<const Tree> tree_;
};

}  // namespace quern::text::jinja
