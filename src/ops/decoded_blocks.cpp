#include "ops/decoded_blocks.h"

namespace quern::ops {

namespace {

thread_local bool decoded = false;

}  // namespace

DecodedBlocks::DecodedBlocks(bool on) : previous_(decoded) { decoded = on; }
DecodedBlocks::~DecodedBlocks() { decoded = previous_; }

bool DecodedBlocks::on() { return decoded; }

}  // namespace quern::ops
