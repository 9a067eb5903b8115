// The labels of a data set by name, and which of them a value in a row means.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "encoding/labelled_rows.h"

namespace quern::encoding {

// How a label is written in a row: a text as it is, a whole number or a truth value as JSON has it.
std::optional<std::string> label_name(const Row& value);

class LabelSet {
 public:
  // `given`, where there are any; those of a model, where they have all that were `found` and are not transformers' LABEL_0;
  // otherwise the ones found, in rising order: numbers by their value where all are numbers.
  static LabelSet choose(const std::vector<std::string>& given, const std::vector<std::string>& of_model,
                         const std::set<std::string>& found);

  const std::vector<std::string>& names() const { return names_; }
  // A label's index: by its name, or where that is none, by its number.
  std::optional<int64_t> find(const std::string& name) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace quern::encoding
