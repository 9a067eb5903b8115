#include "backend/api/backend.h"

namespace quern::backend {

void register_cpu() {}

}  // namespace quern::backend
