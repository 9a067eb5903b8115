// What a grammar may cost. Grammars come from requests: one that passes a limit fails alone, with an error.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quern::grammar {

struct Limits {
  size_t source_bytes = size_t{4} << 20;  // of a schema, regular expression or grammar as text
  uint32_t depth = 200;                   // of nesting in the source
  uint32_t expressions = 1'000'000;       // nodes of the intermediate form
  uint32_t states = 200'000;              // of automata, before and after they are made deterministic
  uint64_t compile_work = 20'000'000;     // elementary steps of making them so: some tenths of a second
  uint32_t items = 500;                   // ways to read a text that are open at one byte
  uint64_t byte_work = 500'000;           // elementary steps that one byte of a text may take
  uint32_t records = 8'000'000;           // numbers a matcher may remember of one text: some 100 MB
  uint64_t mask_work = 50'000'000;        // elementary steps of one mask: some tenths of a second
  size_t cache_bytes = size_t{32} << 20;  // of masks kept for a grammar
};

}  // namespace quern::grammar
