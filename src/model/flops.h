// Floating-point operations of a Decoder, counted on its structure (values need not be allocated).
#pragma once

#include <cstdint>
#include <string>

#include "model/decoder.h"

namespace quern::model {

// Whether every token meets this parameter of `model` in a matrix product: true of all matrices but the tables
// that are only looked up. A tied embedding is the head too.
bool in_product(const Decoder& model, const std::string& name, const nn::Parameter& parameter);

// The weights of those matrices, each counted once.
int64_t product_parameters(const Decoder& model);
// Those that one token meets: of the experts the chosen ones.
int64_t active_product_parameters(const Decoder& model);
// The part of a parameter's weights that one token meets: of experts the share of the chosen, else 1.
double active_share(const Decoder& model, const std::string& name);

// FLOPs of a forward pass over positions [first, first + count) of one sequence, with logits for the last
// `logit_rows` of them: 2 per weight of a product and token, and 4 H D per layer and key seen, causally and
// within the window (Kaplan et al. 2020, arXiv 2001.08361, table 1; softmax, norms and activations are left
// out there and here).
double forward_flops(const Decoder& model, int64_t first, int64_t count, int64_t logit_rows);

// Training FLOPs per token of sequences of this length: forward and backward are three times the forward, and
// what checkpointing computes again is not counted (Chowdhery et al. 2022, arXiv 2204.02311, appendix B).
double training_flops_per_token(const Decoder& model, int64_t sequence);

}  // namespace quern::model
