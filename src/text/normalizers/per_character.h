// Normalizers that look at one character at a time.
#pragma once

#include <string>

#include "text/segment.h"
#include "text/unicode.h"

namespace quern::text {

// Replaces each character by what `map(code_point, out)` appends to `out`, unless it returns false: then the
// character stays.
template <class Map>
void map_characters(Segment& segment, const Map& map) {
  const std::string_view text = segment.text();
  Edit edit = segment.edit();
  std::string out;
  bool changed = false;
  for (uint32_t at = 0; at < text.size();) {
    const auto lead = static_cast<uint8_t>(text[at]);
    const Decoded step = lead < 0x80 ? Decoded{lead, 1, true} : decode_utf8(text.substr(at));
    out.clear();
    if (map(step.code_point, out)) {
      edit.keep(at);
      edit.replace(at + step.length, out);
      changed = true;
    }
    at += step.length;
  }
  if (changed) segment.apply(std::move(edit));
}

}  // namespace quern::text
