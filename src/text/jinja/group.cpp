#include "text/jinja/group.h"

#include "text/jinja/repr.h"

namespace quern::text::jinja {

std::string Group::repr(Heap& heap) const {
  const Heap::Level level(heap);
  TextBuilder out(heap);
  append_repr(out, heap, make_tuple(heap, parts_));
  return out.text();
}

}  // namespace quern::text::jinja
