// The one place that names the backends.
#include <cstdlib>

#include "backend/api/backend.h"

namespace quern::backend {

void register_reference();
void register_cpu();

void register_backends() {
  static const bool once = [] {
    register_reference();
    register_cpu();
    if (const char* isa = std::getenv("QUERN_ISA"); isa != nullptr && *isa != '\0') select_table(isa).value();
    return true;
  }();
  (void)once;
}

}  // namespace quern::backend
