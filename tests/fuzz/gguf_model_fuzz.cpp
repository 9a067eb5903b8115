// Any bytes as a GGUF file of a model: its config, weights, vocabulary, templates and way of pooling are refused, or can be
// used.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "backend/api/backend.h"
#include "base/exception.h"
#include "infer/gguf_tokenizer.h"
#include "infer/sentence_form.h"
#include "model/gguf_config.h"
#include "model/load.h"

namespace {

using namespace quern;

// The model of a file that has one, when it is small.
void load(const std::filesystem::path& path, const model::ModelConfig& config) {
  constexpr int64_t kFewBlocks = 64;
  if (config.layers * (config.experts + 1) > kFewBlocks) return;
  if (config.kind == model::Kind::encoder)
    (void)model::load_encoder(path);
  else
    (void)model::load_model(path);
}

void tokenize(const formats::GgufMetadata& metadata) {
  const auto vocabulary = infer::gguf_vocabulary(metadata);
  if (!vocabulary.ok()) return;
  const auto tokenizer = text::make_tokenizer(*vocabulary);
  if (!tokenizer.ok()) return;
  (void)infer::gguf_templates(metadata, *tokenizer);
  try {
    tokenizer->decode(tokenizer->encode("It's a test <s> \xFF 1234\n\n"));
  } catch (const Exception&) {
    // a split pattern out of its budget
  }
}

}  // namespace

// Weights of another dtype are widened when they are loaded.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  backend::register_backends();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Readers map files: this one is in memory.
  static const int file = memfd_create("model.gguf", 0);
  static const std::filesystem::path path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  const auto archive = formats::GgufArchive::open(path);
  if (!archive.ok()) return 0;
  const auto config = model::read_gguf_config(*archive);
  if (config.ok()) {
    if (!config->validate().ok()) std::abort();
    (void)model::write_gguf_config(*config);
    load(path, *config);
  }
  tokenize(archive->metadata());
  (void)infer::gguf_end_tokens(archive->metadata());
  (void)infer::gguf_sampling(archive->metadata());
  (void)infer::read_sentence_form(path);
  return 0;
}
