#include "text/tokenizer_family.h"

#include <algorithm>
#include <cctype>

namespace quern::text {

namespace {

using Around = TokenizerFamily::Around;
using Pieces = TokenizerFamily::Pieces;

constexpr UsualRoles kGpt2 = {.bos = "<|endoftext|>", .eos = "<|endoftext|>", .unk = "<|endoftext|>"};
constexpr UsualRoles kOpt = {.bos = "</s>", .eos = "</s>", .unk = "</s>", .pad = "<pad>"};
constexpr UsualRoles kQwen2 = {.eos = "<|endoftext|>", .unk = "<|endoftext|>", .pad = "<|endoftext|>"};
constexpr UsualRoles kRoberta = {.bos = "<s>",
                                 .eos = "</s>",
                                 .unk = "<unk>",
                                 .sep = "</s>",
                                 .pad = "<pad>",
                                 .cls = "<s>",
                                 .mask = "<mask>",
                                 .mask_takes_space = true};
constexpr UsualRoles kAlbert = {.bos = "[CLS]",
                                .eos = "[SEP]",
                                .unk = "<unk>",
                                .sep = "[SEP]",
                                .pad = "<pad>",
                                .cls = "[CLS]",
                                .mask = "[MASK]",
                                .mask_takes_space = true};
constexpr UsualRoles kDebertaV2 = {.bos = "[CLS]",
                                   .eos = "[SEP]",
                                   .unk = "[UNK]",
                                   .sep = "[SEP]",
                                   .pad = "[PAD]",
                                   .cls = "[CLS]",
                                   .mask = "[MASK]"};
constexpr UsualRoles kT5 = {.eos = "</s>", .unk = "<unk>", .pad = "<pad>"};
constexpr UsualRoles kLlama = {.bos = "<s>", .eos = "</s>", .unk = "<unk>"};
constexpr UsualRoles kGemma = {.bos = "<bos>", .eos = "<eos>", .unk = "<unk>", .pad = "<pad>"};

constexpr TokenizerFamily kFamilies[] = {
    {.name = "gpt2", .roles = kGpt2, .split = "gpt-2"},
    {.name = "gptneo", .roles = kGpt2, .split = "gpt-2"},
    {.name = "gptj", .roles = kGpt2, .split = "gpt-2"},
    {.name = "codegen", .roles = kGpt2, .split = "gpt-2"},
    {.name = "phi", .roles = kGpt2, .split = "gpt-2"},
    {.name = "opt", .roles = kOpt, .adds_bos = true, .split = "gpt-2"},
    {.name = "roberta", .roles = kRoberta, .around = Around::roberta, .split = "gpt-2"},
    {.name = "bart", .roles = kRoberta, .around = Around::roberta, .split = "gpt-2"},
    {.name = "longformer", .roles = kRoberta, .around = Around::roberta, .split = "gpt-2"},
    {.name = "led", .roles = kRoberta, .around = Around::roberta, .split = "gpt-2"},
    {.name = "mvp", .roles = kRoberta, .around = Around::roberta, .split = "gpt-2"},
    {.name = "qwen2", .roles = kQwen2, .split = "qwen2"},
    {.name = "qwen3", .roles = kQwen2, .split = "qwen2"},
    {.name = "t5", .roles = kT5, .adds_eos = true, .pieces = Pieces::as_is},
    {.name = "mt5", .roles = kT5, .adds_eos = true, .pieces = Pieces::as_is},
    {.name = "albert", .roles = kAlbert, .around = Around::bert, .pieces = Pieces::as_is},
    {.name = "debertav2", .roles = kDebertaV2, .around = Around::bert, .pieces = Pieces::as_is},
    {.name = "xlmroberta", .roles = kRoberta, .around = Around::roberta, .pieces = Pieces::fairseq},
    {.name = "llama", .roles = kLlama, .adds_bos = true, .pieces = Pieces::as_is},
    {.name = "codellama", .roles = kLlama, .adds_bos = true, .pieces = Pieces::as_is},
    {.name = "mistral", .roles = kLlama, .adds_bos = true, .pieces = Pieces::as_is},
    {.name = "mixtral", .roles = kLlama, .adds_bos = true, .pieces = Pieces::as_is},
    {.name = "gemma", .roles = kGemma, .adds_bos = true, .pieces = Pieces::as_is},
    {.name = "gemma2", .roles = kGemma, .adds_bos = true, .pieces = Pieces::as_is},
};

template <class Has>
std::string names(const Has& has) {
  std::string list;
  for (const TokenizerFamily& family : kFamilies) {
    if (has(family)) list.append(list.empty() ? "" : ", ").append(family.name);
  }
  return list;
}

}  // namespace

std::string family_key(std::string_view name) {
  for (const std::string_view ending : {"Fast", "Tokenizer"}) {
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  }
  if (name == "PreTrained" || name == "TokenizersBackend") return {};
  std::string key;
  for (const char c : name) {
    if (c != '-' && c != '_') key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return key;
}

const TokenizerFamily* find_tokenizer_family(std::string_view key) {
  const auto* const found = std::ranges::find(kFamilies, key, &TokenizerFamily::name);
  return found == std::end(kFamilies) ? nullptr : found;
}

std::string families_of_merges() {
  return names([](const TokenizerFamily& family) { return !family.split.empty(); });
}

std::string families_of_pieces() {
  return names([](const TokenizerFamily& family) { return family.pieces != Pieces::none; });
}

}  // namespace quern::text
