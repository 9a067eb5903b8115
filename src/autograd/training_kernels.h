// The kernels of a pass that is learnt from, also where nothing of it is recorded: for passes that are compared with one,
// such as those of a reference model. Some ops are faster without a tape, and round otherwise (int8 products of
// quantised weights).
#pragma once

namespace quern::autograd {

// While one lives on this thread, checkpointing() is true: the bodies of checkpoint() choose their kernels in the same way.
class TrainingKernels {
 public:
  TrainingKernels();
  ~TrainingKernels();
  TrainingKernels(const TrainingKernels&) = delete;
  TrainingKernels& operator=(const TrainingKernels&) = delete;

 private:
  bool previous_;
};

}  // namespace quern::autograd
