// Trains a tiny character-level GPT-2 with gpt_reference.cpp and lets it write:
//
//   build/release/reference/gpt_reference FILE.txt [steps]
//
// On the plays of Shakespeare the loss falls from 4.2 (guessing) to about 2.7 in the 300 steps, some seconds.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <random>

#include "gpt_reference.h"

using namespace gpt_reference;

// GPT-2's start: N(0, 0.02), norms the identity, biases zero.
static Weights random_weights(const Config& config, std::mt19937& random) {
  Weights weights(config);
  std::normal_distribution<float> normal(0, 0.02f);
  for (const Parameter& parameter : weights.parameters()) {
    const bool is_norm =
        parameter.name.find("ln_") != std::string::npos && parameter.name.ends_with("weight");
    for (float& value : *parameter.values)
      value = parameter.is_matrix ? normal(random) : is_norm ? 1.0f : 0.0f;
  }
  return weights;
}

// One token drawn from the softmax of the last row of `logits`.
static int sample(const Buffer& logits, int V, std::mt19937& random) {
  std::vector<double> odds;
  for (auto logit = logits.end() - V; logit != logits.end(); ++logit) odds.push_back(std::exp(*logit));
  return std::discrete_distribution<int>(odds.begin(), odds.end())(random);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: gpt_reference FILE.txt [steps]\n";
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const int B = 4, T = 32, steps = argc > 2 ? std::atoi(argv[2]) : 300;
  if (text.size() < size_t(2 * T)) {
    std::cerr << argv[1] << ": missing, or shorter than " << 2 * T << " characters\n";
    return 3;
  }

  std::map<char, int> ids;  // character -> token
  for (char c : text) ids.emplace(c, 0);
  std::string characters;  // token -> character
  for (auto& [c, id] : ids) {
    id = int(characters.size());
    characters += c;
  }

  const Config config{.V = int(characters.size()), .N = T, .C = 32, .H = 4, .L = 2};
  std::mt19937 random(1);
  Weights weights = random_weights(config, random);
  AdamW optimizer(config);
  optimizer.lr = 3e-3;
  std::uniform_int_distribution<size_t> start(0, text.size() - T - 1);
  for (int step = 0; step <= steps; ++step) {
    std::vector<int> tokens, targets;  // [B, T], each target the character after its token
    for (int b = 0; b < B; ++b) {
      const size_t at = start(random);
      for (int t = 0; t < T; ++t) {
        tokens.push_back(ids[text[at + t]]);
        targets.push_back(ids[text[at + t + 1]]);
      }
    }
    const Activations acts = forward(config, weights, tokens, B, T);
    if (step % 50 == 0)
      std::cout << "step " << step << "  loss " << loss(config, acts.logits, targets) << std::endl;
    Weights gradient = backward(config, weights, acts, tokens, targets, B, T);
    optimizer.update(weights, gradient);
  }

  std::vector<int> written{0};
  for (int i = 0; i < 300; ++i) {
    const int seen = std::min(int(written.size()), T);
    const std::vector<int> tail(written.end() - seen, written.end());
    written.push_back(sample(forward(config, weights, tail, 1, seen).logits, config.V, random));
    std::cout << characters[size_t(written.back())];
  }
  std::cout << '\n';
}
