#include "text/jinja/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/compare.h"
#include "text/jinja/failure.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

using Kind = Value::Kind;

class JsonWriter {
 public:
  JsonWriter(Heap& heap, const JsonStyle& style) : heap_(heap), style_(style), out_(heap) {}

  void write(const Value& value) {
    heap_.spend();
    switch (value.kind()) {
      case Kind::none:
        out_ += "null";
        return;
      case Kind::boolean:
        out_ += value.boolean() ? "true" : "false";
        return;
      case Kind::integer:
        out_ += std::to_string(value.integer());
        return;
      case Kind::real:
        out_ += number(value.number());
        return;
      case Kind::text:
        write_text(value.text());
        return;
      case Kind::dict:
        write_dict(value.dict());
        return;
      case Kind::list:
        if (value.list().form <= List::Form::tuple) return write_list(value.list());
        break;
      default:
        break;
    }
    fail(fmt::format("Object of type {} is not JSON serializable", type_name(value)));
  }

  Value finish() { return std::move(out_).finish(); }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_repr(value);
  }

  void write_text(std::string_view text) {
    heap_.spend(text.size() / 16);
    out_ += "\"";
    std::string escaped;
    for_each_character(text, [&](std::string_view character) { append_character(escaped, character); });
    out_ += escaped;
    out_ += "\"";
  }

  void append_character(std::string& out, std::string_view character) const {
    const char first = character[0];
    switch (first) {
      case '"':
        out += "\\\"";
        return;
      case '\\':
        out += "\\\\";
        return;
      case '\n':
        out += "\\n";
        return;
      case '\r':
        out += "\\r";
        return;
      case '\t':
        out += "\\t";
        return;
      case '\f':
        out += "\\f";
        return;
      case '\b':
        out += "\\b";
        return;
      default:
        break;
    }
    const auto code = static_cast<uint32_t>(decode_utf8(character).code_point);
    if (code < 0x20 || (style_.ascii && code >= 0x7F && code < 0x10000)) {
      out += code == 0x7F ? "\x7F" : fmt::format("\\u{:04x}", code);
    } else if (style_.ascii && code >= 0x10000) {
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF));
    } else {
      out += character;
    }
  }

  void new_line() {
    if (!style_.indent) return;
    out_ += "\n";
    out_.append_repeated(*style_.indent, static_cast<uint64_t>(depth_));
  }

  // Items between brackets, each written by `item`.
  template <class Items, class WriteItem>
  void write_items(std::string_view open, std::string_view close, const Items& items, WriteItem item) {
    out_ += open;
    ++depth_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      new_line();
      item(items[i]);
    }
    --depth_;
    if (!items.empty()) new_line();
    out_ += close;
  }

  void write_list(const List& list) {
    write_items("[", "]", list.items, [&](const Value& item) { write(item); });
  }

  void write_dict(const Dict& dict) {
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      for (const auto* entry : entries) compare(heap_, entry->first, entries[0]->first, "<");
      std::ranges::stable_sort(entries, [&](const auto* a, const auto* b) {
        return compare(heap_, a->first, b->first, "<") == -1;
      });
    }
    write_items("{", "}", entries, [&](const auto* entry) {
      write_text(key(entry->first));
      out_ += style_.key_separator;
      write(entry->second);
    });
  }

  static std::string key(const Value& value) {
    switch (value.kind()) {
      case Kind::text:
        return value.text();
      case Kind::none:
        return "null";
      case Kind::boolean:
        return value.boolean() ? "true" : "false";
      case Kind::integer:
        return std::to_string(value.integer());
      case Kind::real:
        return number(value.number());
      default:
        fail(fmt::format("keys must be str, int, float, bool or None, not {}", type_name(value)));
    }
  }

  Heap& heap_;
  const JsonStyle& style_;
  TextBuilder out_;
  int depth_ = 0;
};

Value convert(Heap& heap, const nlohmann::ordered_json& document, int depth) {
  using Type = nlohmann::ordered_json::value_t;
  heap.spend();
  if (depth > kMaxValueDepth) fail("a JSON document that is nested too deeply", ErrorCode::unsupported);
  switch (document.type()) {
    case Type::boolean:
      return document.get<bool>();
    case Type::number_integer:
      return document.get<int64_t>();
    case Type::number_float:
      return document.get<double>();
    case Type::number_unsigned:
      if (document.get<uint64_t>() > uint64_t{INT64_MAX}) {
        fail(fmt::format("the integer {} does not fit 64 bits signed", document.get<uint64_t>()),
             ErrorCode::unsupported);
      }
      return document.get<int64_t>();
    case Type::string:
      return make_text(&heap, repair_utf8(document.get_ref<const std::string&>()).text);
    case Type::array: {
      Values items;
      for (const auto& item : document) items.push_back(convert(heap, item, depth + 1));
      return make_list(heap, std::move(items));
    }
    case Type::object: {
      std::vector<std::pair<Value, Value>> entries;
      for (const auto& [name, value] : document.items()) {
        entries.emplace_back(make_text(&heap, repair_utf8(name).text), convert(heap, value, depth + 1));
      }
      return make_dict(&heap, std::move(entries));
    }
    default:
      return {};
  }
}

}  // namespace

Value to_json(Heap& heap, const Value& value, const JsonStyle& style) {
  JsonWriter writer(heap, style);
  writer.write(value);
  return writer.finish();
}

Value from_json(Heap& heap, const nlohmann::ordered_json& document) { return convert(heap, document, 0); }

}  // namespace quern::text::jinja
