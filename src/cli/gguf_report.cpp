#include "cli/gguf_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "base/json.h"
#include "base/text_table.h"
#include "base/units.h"

namespace quern::cli {

namespace {

using Json = nlohmann::ordered_json;

// Elements of an array that are shown: a vocabulary has a hundred thousand.
constexpr size_t kFirst = 6;

// The tensors of one type, together.
struct TypeSum {
  std::string_view type;
  int64_t tensors = 0, elements = 0;
  uint64_t bytes = 0;

  double bits_per_weight() const {
    return elements == 0 ? 0.0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(elements);
  }
  void add(const formats::GgufTensor& tensor) {
    ++tensors;
    elements += tensor.elements();
    bytes += tensor.bytes;
  }
};

struct Sums {
  TypeSum all{"all"};
  std::vector<TypeSum> by_type;  // most bytes first
};

Sums sums_of(const formats::GgufArchive& archive) {
  Sums sums;
  for (const formats::GgufTensor& tensor : archive.tensors()) {
    auto at = std::ranges::find(sums.by_type, tensor.type->name, &TypeSum::type);
    if (at == sums.by_type.end()) at = sums.by_type.insert(at, {tensor.type->name});
    at->add(tensor);
    sums.all.add(tensor);
  }
  std::ranges::stable_sort(sums.by_type, std::greater(), &TypeSum::bytes);
  return sums;
}

Json array_to_json(const formats::GgufArray& array, size_t length) {
  Json first = Json::array();
  std::visit(
      [&]<class T>(const T& elements) {
        if constexpr (!std::is_same_v<T, std::monostate>) {
          for (size_t i = 0; i < std::min(length, kFirst); ++i) {
            first.push_back(static_cast<typename T::value_type>(elements[i]));
          }
        }
      },
      array);
  return {{"type", formats::gguf_type_name(static_cast<uint32_t>(array.index()))},
          {"length", length},
          {"first", std::move(first)}};
}

Json value_to_json(const formats::GgufValue& value) {
  return std::visit(
      [&]<class T>(const T& held) -> Json {
        if constexpr (std::is_same_v<T, formats::GgufArray>)
          return array_to_json(held, formats::gguf_length(value));
        else
          return held;
      },
      value);
}

std::string value_to_text(const formats::GgufValue& value) {
  const Json json = value_to_json(value);
  if (!std::holds_alternative<formats::GgufArray>(value)) return json_excerpt(json);
  std::string text;
  for (const Json& element : json["first"]) text += (text.empty() ? "" : ", ") + json_excerpt(element);
  return fmt::format("{} x {}: {}{}", json["length"].get<size_t>(), json["type"].get<std::string>(), text,
                     json["length"].get<size_t>() > kFirst ? ", ..." : "");
}

std::string weights_table(const Sums& sums) {
  TextTable table({"weights", ">tensors", ">parameters", ">bytes", ">bits each"});
  const auto add = [&](const TypeSum& sum) {
    table.add({std::string(sum.type), std::to_string(sum.tensors),
               human_count(static_cast<double>(sum.elements)), human_bytes(sum.bytes),
               fmt::format("{:.2f}", sum.bits_per_weight())});
  };
  for (const TypeSum& sum : sums.by_type) add(sum);
  if (sums.by_type.size() > 1) add(sums.all);
  return table.to_string(0);
}

std::string metadata_table(const formats::GgufMetadata& metadata) {
  TextTable table({"metadata", "value"});
  for (const auto& [key, value] : metadata.entries()) table.add({key, value_to_text(value)});
  return table.to_string(0);
}

std::string tensors_table(const std::vector<formats::GgufTensor>& tensors) {
  TextTable table({"tensor", "type", ">bytes"});
  for (const formats::GgufTensor& tensor : tensors)
    table.add({tensor.name, tensor.describe(), human_bytes(tensor.bytes)});
  return table.to_string(0);
}

}  // namespace

std::string gguf_to_text(const formats::GgufArchive& archive, bool tensors) {
  const Sums sums = sums_of(archive);
  std::string text =
      fmt::format("GGUF version {}{}, {} parameters in {}\n\n", archive.version(),
                  archive.file_count() > 1 ? fmt::format(" in {} files", archive.file_count()) : "",
                  sums.all.elements, human_bytes(sums.all.bytes));
  text += weights_table(sums) + "\n" + metadata_table(archive.metadata());
  if (tensors) text += "\n" + tensors_table(archive.tensors());
  return text;
}

Json gguf_to_json(const formats::GgufArchive& archive) {
  const Sums sums = sums_of(archive);
  Json metadata = Json::object(), types = Json::object(), tensors = Json::array();
  for (const auto& [key, value] : archive.metadata().entries()) metadata[key] = value_to_json(value);
  for (const TypeSum& sum : sums.by_type) {
    types[std::string(sum.type)] = {{"tensors", sum.tensors},
                                    {"parameters", sum.elements},
                                    {"bytes", sum.bytes},
                                    {"bits_per_weight", sum.bits_per_weight()}};
  }
  for (const formats::GgufTensor& tensor : archive.tensors()) {
    tensors.push_back({{"name", tensor.name},
                       {"dtype", tensor.type->name},
                       {"shape", tensor.shape},
                       {"bytes", tensor.bytes}});
  }
  return {{"format", "gguf"},
          {"version", archive.version()},
          {"files", archive.file_count()},
          {"parameters", sums.all.elements},
          {"bytes", sums.all.bytes},
          {"types", std::move(types)},
          {"metadata", std::move(metadata)},
          {"tensors", std::move(tensors)}};
}

}  // namespace quern::cli
