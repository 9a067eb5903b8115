#include "text/jinja/heap.h"

#include <fmt/format.h>

#include "text/jinja/failure.h"

namespace quern::text::jinja {

void Heap::refuse_work() const {
  fail("the template needs more work than its budget of steps allows", ErrorCode::deadline);
}

void Heap::refuse_memory(uint64_t bytes) const {
  fail(fmt::format("the template needs {} bytes more than the {} that are left of its budget of memory",
                   bytes - bytes_left_, bytes_left_),
       ErrorCode::out_of_memory);
}

void Heap::refuse_nesting() const {
  fail(fmt::format("expressions, loops and macros run more than {} deep inside each other", kMaxNesting),
       ErrorCode::deadline);
}

}  // namespace quern::text::jinja
