// From the "type" of a component in tokenizer.json to what makes it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "text/json_fields.h"

namespace quern::text {

template <class Make>
struct Registration {
  std::string_view type;
  Make* make;
};

// The row of the type that `fields` names. Errors: corrupt without a type, unsupported (names the known ones).
template <class Make>
Result<const Registration<Make>*> find_factory(const Fields& fields,
                                               std::span<const Registration<Make>> table) {
  QUERN_TRY(const std::string type, fields.type());
  std::string known;
  for (const Registration<Make>& row : table) {
    if (row.type == type) return &row;
    known.append(row.type).append(", ");
  }
  return fields.unsupported(type, known + "Sequence");
}

}  // namespace quern::text
