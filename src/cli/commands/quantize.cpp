// quern quantize
#include "convert/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/text_table.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "convert/gguf_source.h"
#include "convert/target.h"
#include "formats/gguf/importance_matrix.h"
#include "store/store.h"

namespace quern::cli {

namespace {

struct Arguments {
  std::string model, type, imatrix, output;
  std::vector<std::string> keep;
  bool force = false, verbose = false;
};

// "output=q6_k"
Result<std::pair<std::string, DType>> parse_keep(const std::string& text) {
  const size_t at = text.find('=');
  if (at == text.npos || at == 0) {
    return make_error(ErrorCode::invalid_argument, fmt::format("--keep: expected NAME=TYPE, got '{}'", text),
                      "such as output=q6_k, or blk.0.ffn_down=f16");
  }
  Result<DType> type = convert::find_tensor_type(text.substr(at + 1));
  if (!type.ok()) return std::move(type).error().within("--keep " + text);
  return std::pair{text.substr(0, at), *type};
}

Result<convert::QuantizeOptions> options_from(const Arguments& arguments) {
  convert::QuantizeOptions options;
  Result<const convert::FileType*> type = convert::find_file_type(arguments.type);
  if (!type.ok()) return std::move(type).error().within("--type");
  options.type = *type;
  for (const std::string& text : arguments.keep) {
    QUERN_TRY(auto rule, parse_keep(text));
    options.keep.push_back(std::move(rule));
  }
  if (arguments.imatrix.empty()) return options;
  QUERN_TRY(const formats::ImportanceMatrix matrix, formats::read_importance_matrix(arguments.imatrix));
  for (const auto& [name, entry] : matrix.entries) options.importance[name] = entry.importance();
  return options;
}

// An importance matrix of another model, or of a text that did not reach all of this one.
void warn_of_missing(const convert::QuantizeReport& report, const Arguments& arguments) {
  const auto plain = [](const convert::QuantizedTensor& t) { return is_block(t.after) && !t.weighted; };
  const auto count = std::ranges::count_if(report.tensors, plain);
  if (arguments.imatrix.empty() || count == 0) return;
  log::warn("quantize", "{} has no importance for {} quantised tensors, such as {}", arguments.imatrix, count,
            std::ranges::find_if(report.tensors, plain)->name);
}

// Rounding what is rounded already.
void warn_of_blocks(const convert::QuantizeReport& report) {
  const auto again = [](const convert::QuantizedTensor& t) {
    return is_block(t.before) && (t.before != t.after || t.after == DType::nf4);
  };
  const auto count = std::ranges::count_if(report.tensors, again);
  if (count == 0) return;
  log::warn("quantize", "{} tensors were quantised before: begin with an f16 or f32 model where there is one",
            count);
}

// Rows that are no whole blocks of the type that was asked for.
void warn_of_other_types(const convert::QuantizeReport& report) {
  std::map<std::pair<DType, DType>, std::vector<const convert::QuantizedTensor*>> instead;
  for (const convert::QuantizedTensor& t : report.tensors) {
    if (t.after != t.wanted) instead[{t.wanted, t.after}].push_back(&t);
  }
  for (const auto& [types, tensors] : instead) {
    const auto& [wanted, after] = types;
    log::warn("quantize", "{} tensors become {} in place of {}, which has blocks of {}: {} has {} columns",
              tensors.size(), name_of(after), name_of(wanted), block_elements(wanted), tensors.front()->name,
              tensors.front()->shape.cols());
  }
}

std::string tensors_table(const convert::QuantizeReport& report) {
  TextTable table({"tensor", "shape", "from", "to", ">RMSE", ">relative", "importance"});
  for (const convert::QuantizedTensor& t : report.tensors) {
    if (t.before == t.after) continue;
    table.add({t.name, t.shape.to_string(), std::string(name_of(t.before)), std::string(name_of(t.after)),
               fmt::format("{:.3e}", t.rmse), fmt::format("{:.4f}", t.relative), t.weighted ? "yes" : ""});
  }
  return table.to_string(0);
}

nlohmann::ordered_json to_json(const convert::QuantizeReport& report, const std::filesystem::path& path,
                               std::string_view type) {
  nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
  for (const convert::QuantizedTensor& t : report.tensors) {
    tensors.push_back({{"name", t.name},
                       {"from", name_of(t.before)},
                       {"to", name_of(t.after)},
                       {"rmse", t.rmse},
                       {"relative", t.relative},
                       {"weighted", t.weighted}});
  }
  return {{"path", path.string()},
          {"type", type},
          {"bytes_before", report.bytes_before},
          {"bytes", report.bytes_after},
          {"bits_per_weight", report.bits_per_weight()},
          {"tensors", std::move(tensors)}};
}

constexpr std::string_view kNf4 = "nf4";

// To a folder as bitsandbytes has it, which has one way.
Result<void> check_nf4(const Arguments& arguments) {
  const char* option = !arguments.keep.empty()      ? "--keep"
                       : !arguments.imatrix.empty() ? "--imatrix"
                                                    : nullptr;
  if (option == nullptr) return {};
  return make_error(ErrorCode::invalid_argument, fmt::format("{} is for types of GGUF, not for nf4", option));
}

void print_report(const convert::QuantizeReport& report, const std::filesystem::path& target,
                  std::string_view type, const Arguments& arguments, Context& context) {
  if (context.json) {
    context.print(to_json(report, target, type).dump(2) + "\n");
    return;
  }
  if (arguments.verbose) context.print(tensors_table(report) + "\n");
  context.print(fmt::format("{}  {} (from {}), {:.2f} bits per weight\n", target.string(),
                            human_bytes(static_cast<uint64_t>(report.bytes_after)),
                            human_bytes(static_cast<uint64_t>(report.bytes_before)),
                            report.bits_per_weight()));
}

Result<void> run_nf4(const Arguments& arguments, Context& context) {
  QUERN_CHECK(check_nf4(arguments));
  QUERN_TRY(const std::filesystem::path source, store::Store().resolve(arguments.model));
  const std::filesystem::path target =
      arguments.output.empty() ? fmt::format("{}-{}", convert::model_name(source), kNf4) : arguments.output;
  QUERN_TRY(const convert::QuantizeReport report,
            convert::quantize_to_nf4(source, target, arguments.force, *context.progress));
  warn_of_blocks(report);
  print_report(report, target, kNf4, arguments, context);
  return {};
}

Result<void> run(const Arguments& arguments, Context& context) {
  const InterruptGuard guard;
  if (arguments.type == kNf4) return run_nf4(arguments, context);
  QUERN_TRY(const convert::QuantizeOptions options, options_from(arguments));
  QUERN_TRY(const std::filesystem::path source, store::Store().resolve(arguments.model));
  const std::filesystem::path target =
      arguments.output.empty() ? fmt::format("{}-{}.gguf", convert::model_name(source), options.type->name)
                               : arguments.output;
  QUERN_CHECK(convert::expect_free(target, arguments.force));
  QUERN_TRY(formats::GgufContents contents, convert::open_as_gguf(source, std::nullopt));
  QUERN_TRY(const convert::QuantizeReport report,
            convert::quantize(std::move(contents), options, target, *context.progress));
  warn_of_blocks(report);
  warn_of_other_types(report);
  warn_of_missing(report, arguments);
  print_report(report, target, options.type->name, arguments, context);
  return {};
}

std::string type_names() {
  std::string names;
  for (const convert::FileType& type : convert::file_types()) {
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  return names + fmt::format(", {}", kNf4);
}

Runner define(CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& app = line.app();
  app.add_option("MODEL", arguments->model, "model folder, GGUF file, or a name in the store")->required();
  app.add_option("--type", arguments->type, type_names())->required();
  app.add_option("--imatrix", arguments->imatrix,
                 "importance of each column, from 'quern imatrix' or llama.cpp");
  app.add_option("--keep", arguments->keep, "NAME=TYPE: another type for one module; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("-o,--output", arguments->output,
                 "file to write (default: MODEL-TYPE.gguf), or folder, of nf4 (MODEL-nf4)");
  app.add_flag("--force", arguments->force, "replace what is there");
  app.add_flag("--verbose", arguments->verbose, "list every tensor with its error");
  return [arguments](Context& context) { return run(*arguments, context); };
}

}  // namespace

Command quantize_command() {
  return {
      .name = "quantize",
      .group = Group::use,
      .summary = "make a model smaller: fewer bits per weight",
      .details =
          "A type names a mix, as in llama.cpp: q4_k_m has most matrices in Q4_K, and those whose errors\n"
          "matter most in Q6_K. Rows that are no whole blocks of 256 take the nearest type of blocks of 32.\n"
          "Vectors stay f32. Measure the outcome with 'quern eval perplexity NEW --against OLD'. The type "
          "nf4 is\n"
          "that of QLoRA: a Hugging Face folder as bitsandbytes packs it, with double quantisation.",
      .examples =
          "quern quantize runs/demo/model --type q4_k_m\n"
          "quern quantize smollm2-f16.gguf --type q4_0 --keep output=q8_0 -o smollm2-q4_0.gguf --verbose\n"
          "quern quantize smollm2 --type nf4",
      .define = define,
      .subcommands = {}};
}

}  // namespace quern::cli
