// How fast this machine runs a model: prompts, decoding and loading, beside what its memory allows in the same run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "infer/loaded_model.h"

namespace quern::eval {

// The tests are those of llama-bench: pp512 is a prompt of 512 tokens at once, tg128 are 128 tokens one after the other,
// "@ d1024" after 1,024 that are there already.
struct InferenceSpeedOptions {
  std::vector<int64_t> prompts = {512};   // tokens; 0 for none
  std::vector<int64_t> generate = {128};  // tokens; 0 for none
  std::vector<int64_t> depths = {0};      // tokens before the test, which are not timed
  int64_t repeat = 5;                     // measurements of each test, after one that warms up
  int64_t bandwidth_bytes = 0;            // read to measure the bandwidth; 0: bytes_beyond_caches()
};

// What was measured again and again.
struct Samples {
  std::vector<double> values;  // in the order they were taken
  double median() const;
  double min() const;
  double max() const;
};

struct SpeedTest {
  int64_t prompt = 0, generate = 0, depth = 0;  // of prompt and generate one is 0
  Samples tokens_per_second = {};
  // Of the weights and the cache, for one token in the middle of the test; 0 for prompts, whose tokens share a read.
  int64_t bytes_per_token = 0;

  std::string name() const;  // "pp512", "tg128 @ d1024"
};

struct InferenceSpeed {
  double load_seconds = 0.0;
  double first_token_seconds = 0.0;  // from before loading until a prompt of one short word is answered
  int64_t parameters = 0;
  int64_t weight_bytes = 0;  // as the file has them
  int64_t packed_bytes = 0;  // of copies that products read faster
  int64_t cache_bytes_per_token = 0;
  uint64_t peak_bytes = 0;  // of the process, once every test has run
  std::vector<SpeedTest> tests;
  // Reading memory beyond the caches, between the measurements; and reading as many bytes as one token needs, which a
  // large cache may hold.
  Samples read_bandwidth, reread_bandwidth;

  // The share of the read bandwidth that a decoding test reached.
  double bandwidth_share(const SpeedTest& test) const;
};

// Random tokens: speed does not depend on them. Errors of `open`; invalid_argument for negative numbers, a repeat below 1,
// no test at all, or a test that needs more tokens than the model has positions. Throws `cancelled` as
// throw_if_interrupted() does.
Result<InferenceSpeed> measure_inference_speed(const std::function<Result<infer::LoadedModel>()>& open,
                                               const InferenceSpeedOptions& options, Progress& progress);

// The bytes of weights that one token needs, as the file has them: all but the rows of embeddings that it is not. (A packed
// copy may be somewhat larger.)
int64_t weight_bytes_per_token(const model::Decoder& model);

}  // namespace quern::eval
