// From the text of a constraint to its masks, once: requests of a server come with the same few schemas.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/lru_cache.h"
#include "base/result.h"
#include "grammar/json_schema.h"
#include "grammar/token_masks.h"

namespace quern::grammar {

// What a text must be.
struct Constraint {
  enum class Kind {
    json_schema,  // an instance of the schema `text`
    json_object,  // any JSON object; `text` is not read
    regex,        // matched by the regular expression `text`, from its beginning to its end
    gbnf,         // of the grammar `text`, from its rule `root` on
  };
  Kind kind;
  std::string text = {};
  JsonSpace space = JsonSpace::some;  // of JSON
  // JSON schemas that a grammar calls as rules of these names.
  std::map<std::string, std::string> schemas = {};
  bool operator==(const Constraint&) const = default;
};

// Errors of parse_json_schema, parse_regex, parse_gbnf and Grammar::compile.
Result<std::shared_ptr<const Grammar>> compile(const Constraint& constraint, const Limits& limits = {});

// The last few used ones, for one vocabulary. Thread-safe; two threads that ask for the same new one may both compile.
class GrammarCache {
 public:
  explicit GrammarCache(std::shared_ptr<const Vocabulary> vocabulary, size_t capacity = 32)
      : vocabulary_(std::move(vocabulary)), masks_(capacity) {}

  // Errors of compile().
  Result<std::shared_ptr<TokenMasks>> get(const Constraint& constraint);
  size_t size() const;

 private:
  struct Hash {
    size_t operator()(const Constraint& constraint) const;
  };
  std::shared_ptr<TokenMasks> find(const Constraint& constraint);

  const std::shared_ptr<const Vocabulary> vocabulary_;
  const std::shared_ptr<SharedMasks> shared_ = std::make_shared<SharedMasks>();
  mutable std::mutex mutex_;
  LruCache<Constraint, std::shared_ptr<TokenMasks>, Hash> masks_;
};

}  // namespace quern::grammar
