// JSON schemas (2020-12, and the usual keywords of older drafts) as rules: texts that follow them are instances.
//
// Known: type, enum, const; properties, required, additionalProperties, patternProperties (one), propertyNames,
// minProperties, maxProperties; items, prefixItems, additionalItems, minItems, maxItems; minLength, maxLength, pattern,
// format; minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf; anyOf, oneOf, allOf, $ref within the
// document, $defs, definitions; true and false. Annotations are passed over; everything else is refused with its path,
// never ignored.
//
// What is narrower than the schema, so that each text is still an instance: properties come in the order of
// `properties`, others after them; an object with `properties` has no others unless additionalProperties says so; a
// schema without `type` means the types that its keywords are about; whole numbers have no fraction or exponent, nor
// have numbers with bounds an exponent. What is wider: `oneOf` is read as `anyOf`, and properties beyond the named
// ones may come twice.
#pragma once

#include <string_view>

#include "base/result.h"
#include "grammar/json_syntax.h"
#include "grammar/rules.h"

namespace quern::grammar {

struct SchemaOptions {
  JsonSpace space = JsonSpace::some;
};

// Adds rules for instances of the schema, a JSON text, and gives the one where they start. corrupt for text that is
// not JSON; invalid_argument with the path ("#/properties/age/minimum: ...") for what is wrong or not supported.
Result<RuleId> parse_json_schema(std::string_view schema, Rules& rules, const SchemaOptions& options = {});

// Any JSON value; with `objects`, any object.
RuleId any_json(Rules& rules, bool objects, const SchemaOptions& options = {});

}  // namespace quern::grammar
