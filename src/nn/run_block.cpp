#include "nn/run_block.h"

#include "autograd/graph.h"

namespace quern::nn {

namespace {

// Tensors of a context that a block of `layer` reads and that something before it has made. Visited in one order.
template <class Visit>
void visit_inputs(ForwardContext& context, Source* source, int64_t layer, const Visit& visit) {
  visit(context.bias);
  visit(context.distances);
  if (source == nullptr) return;
  SourceKeys& read = source->layers[static_cast<size_t>(layer)];
  visit(read.keys);
  visit(read.values);
}

}  // namespace

Tensor run_block(const Block& block, int64_t layer, const Tensor& x, const ForwardContext& context) {
  if (!context.checkpoint) return block.forward(x, context);
  ForwardContext given = context;
  std::shared_ptr<Source> source = context.source ? std::make_shared<Source>(*context.source) : nullptr;
  std::vector<Tensor> inputs{x};
  visit_inputs(given, source.get(), layer, [&](const Tensor& input) {
    if (input.defined()) inputs.push_back(input);
  });
  return autograd::checkpoint(
      [&block, given, source, layer](std::span<const Tensor> leaves) {
        ForwardContext inside = given;
        const std::shared_ptr<Source> read = source ? std::make_shared<Source>(*source) : nullptr;
        size_t next = 1;
        visit_inputs(inside, read.get(), layer, [&](Tensor& input) {
          if (input.defined()) input = leaves[next++];
        });
        inside.source = read;
        return block.forward(leaves[0], inside);
      },
      std::move(inputs));
}

}  // namespace quern::nn
