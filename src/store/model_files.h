// Which of the files that a hub, an archive or a folder offers make up one model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::store {

struct ListedFile {
  std::string path;  // with '/'
  uint64_t size = 0;
};

struct ChosenFile {
  size_t index = 0;  // into what was offered
  std::string name;  // path inside the model's own folder
};

// `selector` names a file (its path or last name), or a quantisation such as Q4_K_M, or is empty: then
//   - the folder nearest to the top with config.json and *.safetensors: these (the shards of the index, where
//     there is one), and the configs, tokenizer files and chat templates beside them; not the same weights in
//     other formats;
//   - else the one GGUF, with all of its parts when it is split.
// invalid_argument lists what there is to choose from, with sizes; not_found; unsupported when there are no
// weights Quern reads, or `selector` names something else. `source` begins the messages.
Result<std::vector<ChosenFile>> choose_model_files(std::span<const ListedFile> files,
                                                   std::string_view selector, std::string_view source);

bool is_gguf_name(std::string_view path);
bool is_safetensors_name(std::string_view path);

// True for weights and for the small files that choose_model_files takes along, by the last name.
bool is_model_file(std::string_view path);

// "model-00001-of-00003.gguf": the names of all three; any other name: itself alone.
std::vector<std::string> split_parts(std::string_view name);

// A name for the store: "SmolLM2-135M-Instruct.Q4_1.gguf" becomes "smollm2-135m-instruct-q4_1".
std::string readable_name(std::string_view file_name);

}  // namespace quern::store
