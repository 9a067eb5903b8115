#include "text/jinja/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "text/jinja/failure.h"
#include "text/jinja/function.h"
#include "text/jinja/methods.h"
#include "text/jinja/python_text.h"
#include "text/jinja/range.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

using Kind = Value::Kind;

bool has_items(const Value& value) {
  return value.is_text() || value.is_form(List::Form::list) || value.is_form(List::Form::tuple);
}

// A method, or an attribute of an object; an undefined that fails when used for what the sandbox forbids.
std::optional<Value> find_attribute(Heap& heap, const Value& owner, std::string_view name) {
  if (const Builtin* const method = find_method(owner, name)) {
    return Value(make_object<BoundMethod>(heap, *method, owner));
  }
  if (owner.kind() == Kind::object) {
    if (std::optional<Value> found = owner.object().attribute(heap, name)) return found;
  }
  if (is_mutation(owner, name) || name.starts_with("__")) {
    return make_undefined(
        heap,
        fmt::format("access to attribute {} of '{}' object is unsafe", brief_quoted(name), type_name(owner)),
        ErrorCode::permission);
  }
  return std::nullopt;
}

// owner[key] where Python has such an item.
std::optional<Value> find_item(Heap& heap, const Value& owner, const Value& key) {
  if (owner.is_dict()) {
    if (key.is_text()) heap.spend_on_text(key.text().size());
    if (key.kind() == Kind::list && !key.is_form(List::Form::tuple)) return std::nullopt;
    const Value* const found = owner.dict().find(key);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  if (!key.is_integral()) return std::nullopt;
  const bool object = owner.kind() == Kind::object;
  if (!object && !has_items(owner)) return std::nullopt;
  const int64_t length = length_of(heap, owner).value_or(0);
  const int64_t index = key.integer() < 0 ? key.integer() + length : key.integer();
  if (index < 0 || index >= length) return std::nullopt;
  if (object) return owner.object().item(index);
  if (!owner.is_text()) return owner.list().items[static_cast<size_t>(index)];
  const std::string_view rest =
      std::string_view(owner.text()).substr(offset_of_character(owner.text(), index));
  return make_text(heap, rest.substr(0, decode_utf8(rest).length), owner.is_markup());
}

Value slice_text(Heap& heap, const Value& owner, const SlicePlaces& places) {
  const std::string_view text = owner.text();
  heap.spend_on_text(text.size());
  if (places.step == 1) {
    const size_t begin = offset_of_character(text, places.start);
    const std::string_view rest = text.substr(begin);
    return make_text(heap, rest.substr(0, offset_of_character(rest, places.count)), owner.is_markup());
  }
  const Charge ahead(&heap, text.size() * sizeof(std::string_view));
  heap.spend(text.size() / 16);
  std::vector<std::string_view> characters;
  for_each_character(text, [&](std::string_view c) { characters.push_back(c); });
  TextBuilder out(heap);
  for (int64_t i = 0; i < places.count; ++i) {
    out += characters[static_cast<size_t>(places.start + i * places.step)];
  }
  return std::move(out).finish(owner.is_markup());
}

Value slice_list(Heap& heap, const List& list, const SlicePlaces& places) {
  heap.spend(static_cast<uint64_t>(places.count));
  Values items;
  for (int64_t i = 0; i < places.count; ++i) {
    items.push_back(list.items[static_cast<size_t>(places.start + i * places.step)]);
  }
  return make_list(&heap, std::move(items), list.form);
}

// A bound of a slice, inside [low, high].
int64_t slice_bound(const Value& bound, int64_t length, int64_t low, int64_t high, int64_t otherwise) {
  if (bound.is_none()) return otherwise;
  require_defined(bound);
  if (!bound.is_integral()) fail("slice indices must be integers or None");
  const int64_t place = bound.integer() < 0 ? bound.integer() + length : bound.integer();
  return std::clamp(place, low, high);
}

}  // namespace

SlicePlaces slice_places(int64_t length, const Value& start, const Value& stop, const Value& step) {
  const int64_t stride = slice_bound(step, 0, -INT64_MAX, INT64_MAX, 1);
  if (stride == 0) fail("slice step cannot be zero");
  const bool forward = stride > 0;
  const int64_t low = forward ? 0 : -1, high = forward ? length : length - 1;
  const int64_t from = slice_bound(start, length, low, high, forward ? low : high);
  const int64_t to = slice_bound(stop, length, low, high, forward ? high : low);
  const int64_t span = forward ? to - from : from - to;
  const int64_t size = forward ? stride : -stride;
  return {from, stride, span <= 0 ? 0 : (span - 1) / size + 1};
}

Value get_slice(Heap& heap, const Value& owner, const Value& start, const Value& stop, const Value& step) {
  require_defined(owner);
  const auto* const range = owner.as<Range>();
  if (range == nullptr && !has_items(owner)) {
    fail(fmt::format("'{}' object cannot be sliced", type_name(owner)));
  }
  const SlicePlaces places = slice_places(*length_of(heap, owner), start, stop, step);
  if (range != nullptr) {
    const auto step_of_slice = static_cast<uint64_t>(range->step()) * static_cast<uint64_t>(places.step);
    return Value(
        make_object<Range>(heap, range->at(places.start), static_cast<int64_t>(step_of_slice), places.count));
  }
  return owner.is_text() ? slice_text(heap, owner, places) : slice_list(heap, owner.list(), places);
}

Value get_attribute(Heap& heap, const Value& owner, std::string_view name) {
  require_defined(owner);
  if (owner.is_dict() && name.starts_with("_")) {
    if (const Value* const found = owner.dict().find(name)) return *found;
  }
  if (std::optional<Value> found = find_attribute(heap, owner, name)) return *std::move(found);
  if (owner.is_dict()) {
    if (const Value* const found = owner.dict().find(name)) return *found;
  }
  return make_missing(heap, owner, name);
}

Value get_item(Heap& heap, const Value& owner, const Value& key) {
  require_defined(owner);
  if (std::optional<Value> found = find_item(heap, owner, key)) return *std::move(found);
  if (key.is_text()) {
    if (std::optional<Value> found = find_attribute(heap, owner, key.text())) return *std::move(found);
  }
  return make_missing(heap, owner, key);
}

AttributePath::AttributePath(Heap& heap, const Value& path) {
  if (path.is_none()) return;
  if (!path.is_text()) {
    parts_.push_back(path);
    return;
  }
  for (const std::string_view part : split_at(path.text(), ".", -1)) {
    int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number = !part.empty() && part[0] != '-' && parsed.ec == std::errc() &&
                        parsed.ptr == part.data() + part.size();
    parts_.push_back(number ? Value(index) : make_text(heap, part));
  }
}

Value AttributePath::of(Heap& heap, const Value& item, const Value* otherwise) const {
  Value value = item;
  for (const Value& part : parts_) {
    heap.spend();
    value = get_item(heap, value, part);
    if (otherwise != nullptr && value.is_undefined()) value = *otherwise;
  }
  return value;
}

}  // namespace quern::text::jinja
