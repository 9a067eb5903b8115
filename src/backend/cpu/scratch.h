// Working memory of a kernel that calls no other kernel while it holds it.
#pragma once

#include <cstdint>

namespace quern::backend::cpu {

// At least `bytes` of the calling thread's scratch memory, aligned to a page, uninitialised. Valid until this
// thread's next call; kept between calls, since fresh pages cost more than most kernels. Throws
// std::bad_alloc.
void* scratch(int64_t bytes);
// The same, of another buffer: what the threads of a kernel leave for the one that called it.
void* shared_scratch(int64_t bytes);

}  // namespace quern::backend::cpu
