// The values of a template: Python's None, bool, int, float, str, list, tuple and dict, Jinja's undefined, and
// objects (ranges, namespaces, loops, macros, functions).
//
// Values are immutable and share their parts; only a few objects change (namespaces above all). They live no
// longer than the heap that counts their bytes. Constants of a template are not counted and may be shared by
// threads.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "text/jinja/heap.h"

namespace quern::text::jinja {

class Interpreter;
class Object;
class Value;
struct Arguments;

// How deep lists, dicts and tuples may hold each other.
inline constexpr int kMaxValueDepth = 200;

// A name or attribute that does not exist: prints as nothing, and most uses of it fail with `message`.
struct Undefined {
  std::string message;
  ErrorCode code = ErrorCode::invalid_argument;
  Charge charge;
};

struct Text {
  std::string bytes;    // valid UTF-8
  bool markup = false;  // came out of `escape` or `safe`: what is added to it gets escaped
  Charge charge;
};

struct List {
  enum class Form : uint8_t { list, tuple, dict_keys, dict_values, dict_items };
  Form form = Form::list;
  std::vector<Value> items;
  int depth = 0;
  Charge charge;
};

// Insertion-ordered; a sorted index finds keys.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::vector<uint32_t> order;  // indices of `entries`, sorted by key
  int depth = 0;
  Charge charge;

  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
};

class Value {
 public:
  enum class Kind : uint8_t { none, boolean, integer, real, undefined, text, list, dict, object };

  Value() = default;
  Value(bool value) : state_(value) {}
  Value(int64_t value) : state_(value) {}
  Value(int value) : state_(int64_t{value}) {}
  Value(double value) : state_(value) {}
  Value(const char*) = delete;  // text needs a heap: make_text
  Value(std::shared_ptr<const Undefined> value) : state_(std::move(value)) {}
  Value(std::shared_ptr<const Text> value) : state_(std::move(value)) {}
  Value(std::shared_ptr<const List> value) : state_(std::move(value)) {}
  Value(std::shared_ptr<const Dict> value) : state_(std::move(value)) {}
  template <class T>
  requires std::derived_from<T, Object> Value(std::shared_ptr<T> value)
      : state_(std::shared_ptr<Object>(std::move(value))) {}

  Kind kind() const { return static_cast<Kind>(state_.index()); }
  bool is_none() const { return kind() == Kind::none; }
  bool is_undefined() const { return kind() == Kind::undefined; }
  bool is_text() const { return kind() == Kind::text; }
  bool is_dict() const { return kind() == Kind::dict; }
  // Python counts bools among the integers.
  bool is_integral() const { return kind() == Kind::integer || kind() == Kind::boolean; }
  bool is_number() const { return is_integral() || kind() == Kind::real; }

  // Preconditions: the kind is right (integer() and number() take bools, number() any number).
  bool boolean() const { return std::get<bool>(state_); }
  int64_t integer() const { return kind() == Kind::boolean ? boolean() : std::get<int64_t>(state_); }
  double number() const { return kind() == Kind::real ? std::get<double>(state_) : double(integer()); }
  const Undefined& undefined() const { return *std::get<std::shared_ptr<const Undefined>>(state_); }
  const std::string& text() const { return std::get<std::shared_ptr<const Text>>(state_)->bytes; }
  bool is_markup() const { return is_text() && std::get<std::shared_ptr<const Text>>(state_)->markup; }
  const List& list() const { return *shared_list(); }
  const std::shared_ptr<const List>& shared_list() const {
    return std::get<std::shared_ptr<const List>>(state_);
  }
  const Dict& dict() const { return *std::get<std::shared_ptr<const Dict>>(state_); }
  Object& object() const { return *std::get<std::shared_ptr<Object>>(state_); }

  // A list in the narrow sense, or another form of it.
  bool is_form(List::Form form) const { return kind() == Kind::list && list().form == form; }
  // The object as a `T`, or null.
  template <class T>
  T* as() const {
    return kind() == Kind::object ? dynamic_cast<T*>(&object()) : nullptr;
  }
  // Whether both are the very same thing (`is` of Python).
  bool same_as(const Value& other) const { return state_ == other.state_; }

 private:
  std::variant<std::monostate, bool, int64_t, double, std::shared_ptr<const Undefined>,
               std::shared_ptr<const Text>, std::shared_ptr<const List>, std::shared_ptr<const Dict>,
               std::shared_ptr<Object>>
      state_;
};

using Values = std::vector<Value>;

// A value with behaviour of its own. Made by make_object.
class Object {
 public:
  virtual ~Object() = default;
  void charge(Charge charge) { charge_ = std::move(charge); }
  void grow_charge(uint64_t bytes) { charge_.grow(bytes); }
  // Python's name of its type.
  virtual std::string_view type_name() const = 0;
  virtual std::string repr(Heap& heap) const;
  virtual std::optional<Value> attribute(Heap& heap, std::string_view name);
  virtual bool callable() const { return false; }
  // Precondition: callable().
  virtual Value call(Interpreter& interpreter, const Arguments& arguments);
  // What iterating yields; a generator yields it once.
  virtual bool iterable() const { return false; }
  virtual Values items(Heap& heap);
  virtual std::optional<int64_t> length() const { return std::nullopt; }
  // The item at `index`; nullopt past the end or when there is no such thing.
  virtual std::optional<Value> item(int64_t index) const { return std::nullopt; }
  // Forgets the values it holds, so that values that hold each other die with the rendering.
  virtual void clear() {}

 private:
  Charge charge_;
};

template <class T, class... Parts>
std::shared_ptr<T> make_object(Heap& heap, Parts&&... parts) {
  auto object = std::make_shared<T>(std::forward<Parts>(parts)...);
  object->charge(Charge(&heap, sizeof(T)));
  return object;
}

// Makers charge `heap`; null for constants. Text is valid UTF-8.
Value make_text(Heap* heap, std::string bytes, bool markup = false);
inline Value make_text(Heap& heap, std::string_view bytes, bool markup = false) {
  return make_text(&heap, std::string(bytes), markup);
}
Value make_list(Heap* heap, Values items, List::Form form = List::Form::list);
inline Value make_list(Heap& heap, Values items) { return make_list(&heap, std::move(items)); }
inline Value make_tuple(Heap& heap, Values items) {
  return make_list(&heap, std::move(items), List::Form::tuple);
}
// Later entries of a key win, at the place of the first. Throws Failure for a key that has no hash in Python.
Value make_dict(Heap* heap, std::vector<std::pair<Value, Value>> entries);
Value make_undefined(Heap& heap, std::string message, ErrorCode code = ErrorCode::invalid_argument);
// The undefined that `owner` gives for a missing attribute, or for a missing item.
Value make_missing(Heap& heap, const Value& owner, std::string_view attribute);
Value make_missing(Heap& heap, const Value& owner, const Value& key);

// Fails with the message of an undefined; does nothing with other values.
void require_defined(const Value& value);

std::string_view name_of(List::Form form);
// Python's name of the type: "str", "dict", "NoneType", ...
std::string_view type_name(const Value& value);
bool is_callable(const Value& value);
bool is_iterable(const Value& value);
// Python's truth.
bool truth(const Value& value);
// len(); nullopt for what has none.
std::optional<int64_t> length_of(Heap& heap, const Value& value);
// What iterating yields: characters of text, keys of a dict, nothing of an undefined. A list comes back as it is.
std::shared_ptr<const List> sequence_of(Heap& heap, const Value& value);

// Text under construction, charged as it grows.
class TextBuilder {
 public:
  explicit TextBuilder(Heap& heap) : heap_(heap), charge_(&heap, 0) {}
  TextBuilder& operator+=(std::string_view more) {
    charge_.grow(more.size());
    heap_.spend_on_text(more.size());
    text_ += more;
    return *this;
  }
  void append_repeated(std::string_view more, uint64_t times);
  const std::string& text() const { return text_; }
  Value finish(bool markup = false) &&;

 private:
  Heap& heap_;
  Charge charge_;
  std::string text_;
};

}  // namespace quern::text::jinja
