// DecodedBlocks: products with block-quantised weights that round nothing, as a pass that is learnt from has them.
#pragma once

namespace quern::ops {

// While one lives on this thread, linear() decodes weights in blocks to the dtype of its input, recorded or not, in place of
// rounding the input to 8 bits: slower, since they are decoded at each call, and the same but for the order of sums as the
// recorded pass. Rows under BatchInvariant stay independent of each other.
class DecodedBlocks {
 public:
  explicit DecodedBlocks(bool on = true);
  ~DecodedBlocks();
  DecodedBlocks(const DecodedBlocks&) = delete;
  DecodedBlocks& operator=(const DecodedBlocks&) = delete;

  static bool on();  // on this thread

 private:
  bool previous_;
};

}  // namespace quern::ops
