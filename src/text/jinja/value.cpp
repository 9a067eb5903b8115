#include "text/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "text/jinja/compare.h"
#include "text/jinja/failure.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

// A dict of few keys is searched from front to back.
constexpr size_t kSmallDict = 8;

int depth_of(const Value& value) {
  if (value.kind() == Value::Kind::list) return value.list().depth;
  if (value.is_dict()) return value.dict().depth;
  return 0;
}

int checked_depth(int deepest_item) {
  if (deepest_item >= kMaxValueDepth) {
    fail(fmt::format("lists and dicts nested more than {} deep", kMaxValueDepth), ErrorCode::unsupported);
  }
  return deepest_item + 1;
}

// As Jinja words it.
std::string owner_name(const Value& owner) {
  return owner.is_none() ? "None" : fmt::format("{} object", type_name(owner));
}

Values characters_of(Heap& heap, const std::string& text) {
  const Charge ahead(&heap, text.size() * sizeof(Value));
  heap.spend(text.size());
  Values items;
  for_each_character(text, [&](std::string_view bytes) { items.push_back(make_text(heap, bytes)); });
  return items;
}

}  // namespace

Value make_text(Heap* heap, std::string bytes, bool markup) {
  Charge charge(heap, sizeof(Text) + bytes.size());
  if (heap != nullptr) heap->spend_on_text(bytes.size());
  return std::make_shared<const Text>(Text{std::move(bytes), markup, std::move(charge)});
}

Value make_list(Heap* heap, Values items, List::Form form) {
  Charge charge(heap, sizeof(List) + items.size() * sizeof(Value));
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, depth_of(item));
  return std::make_shared<const List>(
      List{form, std::move(items), checked_depth(deepest), std::move(charge)});
}

Value make_dict(Heap* heap, std::vector<std::pair<Value, Value>> entries) {
  for (const auto& [key, value] : entries) {
    require_hashable(key);
    if (heap != nullptr)
      heap->spend(1 + (key.is_text() ? key.text().size() / 16 : 0));  // sorted: 16 comparisons each
  }
  std::vector<uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, [&](uint32_t a, uint32_t b) { return compare_keys(entries[a].first, entries[b].first) < 0; });
  std::vector<bool> repeated(entries.size(), false);
  for (size_t first = 0, i = 1; i < order.size(); ++i) {
    if (compare_keys(entries[order[first]].first, entries[order[i]].first) != 0) {
      first = i;
    } else {
      entries[order[first]].second = entries[order[i]].second;
      repeated[order[i]] = true;
    }
  }
  if (std::ranges::count(repeated, true) > 0) {
    std::vector<std::pair<Value, Value>> unique;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (!repeated[i]) unique.push_back(std::move(entries[i]));
    }
    return make_dict(heap, std::move(unique));
  }
  int deepest = 0;
  for (const auto& [key, value] : entries) deepest = std::max({deepest, depth_of(key), depth_of(value)});
  Charge charge(heap, sizeof(Dict) + entries.size() * (sizeof(entries[0]) + sizeof(order[0])));
  return std::make_shared<const Dict>(
      Dict{std::move(entries), std::move(order), checked_depth(deepest), std::move(charge)});
}

Value make_undefined(Heap& heap, std::string message, ErrorCode code) {
  Charge charge(&heap, sizeof(Undefined) + message.size());
  return std::make_shared<const Undefined>(Undefined{std::move(message), code, std::move(charge)});
}

Value make_missing(Heap& heap, const Value& owner, std::string_view attribute) {
  return make_undefined(heap,
                        fmt::format("'{}' has no attribute {}", owner_name(owner), brief_quoted(attribute)));
}

Value make_missing(Heap& heap, const Value& owner, const Value& key) {
  if (key.is_text()) return make_missing(heap, owner, key.text());
  return make_undefined(heap, fmt::format("{} has no element {}", owner_name(owner), brief_repr(key)));
}

const Value* Dict::find(const Value& key) const {
  if (entries.size() <= kSmallDict) {
    for (const auto& [candidate, value] : entries) {
      if (compare_keys(candidate, key) == 0) return &value;
    }
    return nullptr;
  }
  const auto found = std::ranges::lower_bound(
      order, 0, [&](int order_of_key, int zero) { return order_of_key < zero; },
      [&](uint32_t index) { return compare_keys(entries[index].first, key); });
  if (found == order.end() || compare_keys(entries[*found].first, key) != 0) return nullptr;
  return &entries[*found].second;
}

const Value* Dict::find(std::string_view key) const {
  if (entries.size() > kSmallDict) return find(make_text(nullptr, std::string(key)));
  for (const auto& [candidate, value] : entries) {
    if (candidate.is_text() && candidate.text() == key) return &value;
  }
  return nullptr;
}

void require_defined(const Value& value) {
  if (value.is_undefined()) fail(value.undefined().message, value.undefined().code);
}

std::string_view name_of(List::Form form) {
  constexpr std::string_view kNames[] = {"list", "tuple", "dict_keys", "dict_values", "dict_items"};
  return kNames[static_cast<size_t>(form)];
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::none:
      return "NoneType";
    case Value::Kind::boolean:
      return "bool";
    case Value::Kind::integer:
      return "int";
    case Value::Kind::real:
      return "float";
    case Value::Kind::undefined:
      return "Undefined";
    case Value::Kind::text:
      return value.is_markup() ? "Markup" : "str";
    case Value::Kind::list:
      return name_of(value.list().form);
    case Value::Kind::dict:
      return "dict";
    case Value::Kind::object:
      break;
  }
  return value.object().type_name();
}

bool is_callable(const Value& value) {
  return value.kind() == Value::Kind::object && value.object().callable();
}

bool is_iterable(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::undefined:
    case Value::Kind::text:
    case Value::Kind::list:
    case Value::Kind::dict:
      return true;
    case Value::Kind::object:
      return value.object().iterable();
    default:
      return false;
  }
}

bool truth(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::none:
    case Value::Kind::undefined:
      return false;
    case Value::Kind::boolean:
    case Value::Kind::integer:
      return value.integer() != 0;
    case Value::Kind::real:
      return value.number() != 0;
    case Value::Kind::text:
      return !value.text().empty();
    case Value::Kind::list:
      return !value.list().items.empty();
    case Value::Kind::dict:
      return !value.dict().entries.empty();
    case Value::Kind::object:
      break;
  }
  return value.object().length().value_or(1) != 0;
}

std::optional<int64_t> length_of(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::undefined:
      return 0;
    case Value::Kind::text:
      heap.spend_on_text(value.text().size());
      return count_characters(value.text());
    case Value::Kind::list:
      return static_cast<int64_t>(value.list().items.size());
    case Value::Kind::dict:
      return static_cast<int64_t>(value.dict().entries.size());
    case Value::Kind::object:
      return value.object().length();
    default:
      return std::nullopt;
  }
}

std::shared_ptr<const List> sequence_of(Heap& heap, const Value& value) {
  const auto from = [&](Values items) { return make_list(heap, std::move(items)).shared_list(); };
  switch (value.kind()) {
    case Value::Kind::undefined:
      return from({});
    case Value::Kind::text:
      return from(characters_of(heap, value.text()));
    case Value::Kind::list:
      heap.spend(value.list().items.size());
      return value.shared_list();
    case Value::Kind::dict: {
      heap.spend(value.dict().entries.size());
      Values keys;
      for (const auto& [key, unused] : value.dict().entries) keys.push_back(key);
      return from(std::move(keys));
    }
    case Value::Kind::object:
      if (value.object().iterable()) return from(value.object().items(heap));
      break;
    default:
      break;
  }
  fail(fmt::format("'{}' object is not iterable", type_name(value)));
}

std::string Object::repr(Heap& heap) const { return fmt::format("<{}>", type_name()); }
std::optional<Value> Object::attribute(Heap& heap, std::string_view name) { return std::nullopt; }
Value Object::call(Interpreter& interpreter, const Arguments& arguments) {
  fail(fmt::format("'{}' object is not callable", type_name()));
}
Values Object::items(Heap& heap) { fail(fmt::format("'{}' object is not iterable", type_name())); }

void TextBuilder::append_repeated(std::string_view more, uint64_t times) {
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(uint64_t{more.size()}, times, &bytes)) bytes = UINT64_MAX;
  charge_.grow(bytes);
  heap_.spend_on_text(bytes);
  text_.reserve(text_.size() + bytes);
  if (more.size() == 1) {
    text_.append(times, more[0]);
  } else {
    for (uint64_t i = 0; i < times && bytes > 0; ++i) text_ += more;
  }
}

Value TextBuilder::finish(bool markup) && {
  charge_.grow(sizeof(Text));
  return std::make_shared<const Text>(Text{std::move(text_), markup, std::move(charge_)});
}

}  // namespace quern::text::jinja
