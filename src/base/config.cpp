#include "base/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/nearest.h"

namespace quern {

namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kConfigFileLimit = uint64_t{16} << 20;

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

ConfigValue to_value(const YAML::Node& node, std::string where) {
  ConfigValue value;
  value.where = std::move(where);
  if (node.IsNull()) {
    value.kind = ConfigValue::Kind::null;
  } else if (node.IsScalar()) {
    value.text = node.Scalar();
  } else {
    value.kind = node.IsSequence() ? ConfigValue::Kind::list : ConfigValue::Kind::other;
    for (const YAML::Node& item : node) {
      if (value.kind != ConfigValue::Kind::list) break;
      if (!item.IsScalar()) value.kind = ConfigValue::Kind::other;
      if (item.IsScalar()) value.items.push_back(item.Scalar());
    }
  }
  return value;
}

// Parses without letting yaml-cpp's exceptions out.
Result<YAML::Node> parse_yaml(std::string_view text, std::string_view source) {
  try {
    return YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    const std::string place =
        error.mark.is_null() ? std::string(source)
                             : fmt::format("{}:{}:{}", source, error.mark.line + 1, error.mark.column + 1);
    return make_error(ErrorCode::invalid_argument, fmt::format("{}: not valid YAML: {}", place, error.msg));
  }
}

// "a,b,c" or "[a, b, c]".
Result<ConfigValue> list_from_setting(std::string_view text, std::string_view source) {
  if (text.starts_with('[')) {
    QUERN_TRY(const YAML::Node node, parse_yaml(text, source));
    return to_value(node, std::string(source));
  }
  ConfigValue value{ConfigValue::Kind::list, {}, {}, std::string(source)};
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    value.items.emplace_back(trim(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return value;
}

// Text that YAML would read as something else is quoted, as JSON does it.
std::string yaml_scalar(const Json& value) {
  if (!value.is_string())
    return value.is_number_float() ? fmt::format("{}", value.get<double>()) : value.dump();
  const std::string& text = value.get_ref<const std::string&>();
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '/' || c == '.' || c == '-';
  };
  const bool begins_like_a_word =
      !text.empty() && (text[0] == '/' || text[0] == '_' || (text[0] >= 'A' && text[0] <= 'z'));
  static constexpr std::string_view kReserved[] = {"true", "false", "yes", "no", "on",
                                                   "off",  "null",  "y",   "n"};
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool reserved = std::ranges::find(kReserved, lower) != std::end(kReserved);
  if (begins_like_a_word && !reserved && std::ranges::all_of(text, plain)) return text;
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string yaml_value(const Json& value) {
  if (!value.is_array()) return yaml_scalar(value);
  std::vector<std::string> items;
  for (const Json& item : value) items.push_back(yaml_scalar(item));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

void emit_yaml(const Fields& fields, const Json& object, const std::string& prefix, std::string& out) {
  const std::string indent(2 * static_cast<size_t>(std::ranges::count(prefix, '.')), ' ');
  for (const auto& [name, value] : object.items()) {
    const std::string key = prefix + name;
    if (const Field* field = fields.find(key)) {
      const std::string line = fmt::format("{}{}: {}", indent, name, yaml_value(value));
      out += fmt::format("{:<36}  # {} ({})\n", line, field->help(), field->expects());
    } else {
      out += fmt::format("{}{}:\n", indent, name);
      emit_yaml(fields, value, key + ".", out);
    }
  }
}

}  // namespace

Field& Fields::append(std::string_view key, Field::Target target, std::string help) {
  std::string full = prefix_ + std::string(key);
  if (find(full) != nullptr) throw InternalError("config field '" + full + "' is listed twice");
  return fields_.emplace_back(std::move(full), std::move(target), std::move(help));
}

const Field* Fields::find(std::string_view key) const {
  const auto found = std::ranges::find(fields_, key, &Field::key);
  return found == fields_.end() ? nullptr : &*found;
}

bool Fields::is_set(std::string_view key) const {
  const Field* field = find(key);
  return field != nullptr && !field->origin().empty();
}

Result<void> Fields::assign(std::string_view key, const ConfigValue& value) {
  const auto found = std::ranges::find(fields_, key, &Field::key);
  if (found != fields_.end()) return found->assign(value);
  std::vector<std::string> known;
  for (const Field& field : fields_) known.push_back(field.key());
  std::string hint = suggestion(key, known);
  if (hint.empty()) hint = "--print-config shows every key";
  return make_error(ErrorCode::invalid_argument, fmt::format("{}: unknown key '{}'", value.where, key), hint);
}

Result<void> Fields::load_yaml(std::string_view text, std::string_view source) {
  QUERN_TRY(const YAML::Node root, parse_yaml(text, source));
  return load_yaml(root, source);
}

Result<void> Fields::load_yaml(const YAML::Node& root, std::string_view source) {
  if (root.IsNull()) return {};
  if (!root.IsMap()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: expected a map of settings at the top", source),
                      "write lines such as 'train.steps: 100'");
  }
  std::set<std::string> seen;
  // A map is descended into only where some field lies below it, which bounds the depth by the longest key.
  const auto walk = [&](const auto& self, const YAML::Node& map, const std::string& prefix) -> Result<void> {
    for (const auto& entry : map) {
      const std::string where = fmt::format("{}:{}", source, entry.first.Mark().line + 1);
      if (!entry.first.IsScalar())
        return make_error(ErrorCode::invalid_argument, where + ": keys must be words");
      const std::string key = prefix + entry.first.Scalar();
      const bool is_section =
          std::ranges::any_of(fields_, [&](const Field& f) { return f.key().starts_with(key + "."); });
      if (is_section && entry.second.IsNull()) continue;
      if (is_section && entry.second.IsMap()) {
        QUERN_CHECK(self(self, entry.second, key + "."));
        continue;
      }
      if (is_section) {
        return make_error(ErrorCode::invalid_argument,
                          fmt::format("{}: {} is a section, got a value", where, key),
                          fmt::format("write its settings indented below '{}:'", key));
      }
      if (!seen.insert(key).second) {
        return make_error(ErrorCode::invalid_argument, fmt::format("{}: {} is set twice", where, key));
      }
      QUERN_CHECK(assign(key, to_value(entry.second, where)));
    }
    return {};
  };
  return walk(walk, root, "");
}

Result<void> Fields::load_file(const std::filesystem::path& path) {
  QUERN_TRY(const std::string text, read_file(path, kConfigFileLimit));
  return load_yaml(text, path.string());
}

Result<void> Fields::set(std::string_view setting, std::string_view source) {
  const size_t equals = setting.find('=');
  if (equals == std::string_view::npos) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{}: expected key=value, got '{}'", source, setting),
                      "for example --set train.steps=100");
  }
  const std::string_view key = trim(setting.substr(0, equals));
  const std::string_view text = setting.substr(equals + 1);
  const Field* field = find(key);
  if (field != nullptr && field->value().is_array()) {
    QUERN_TRY(const ConfigValue list, list_from_setting(trim(text), source));
    return assign(key, list);
  }
  return assign(key, ConfigValue{ConfigValue::Kind::scalar, std::string(text), {}, std::string(source)});
}

Result<void> Fields::check_required() const {
  for (const Field& field : fields_) {
    if (!field.is_missing()) continue;
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} is not set ({})", field.key(), field.help()),
                      fmt::format("add it to the config file or use --set {}=...", field.key()));
  }
  return {};
}

Json Fields::to_json() const {
  Json root = Json::object();
  for (const Field& field : fields_) {
    Json* place = &root;
    std::string_view rest = field.key();
    for (size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      place = &(*place)[std::string(rest.substr(0, dot))];
      rest.remove_prefix(dot + 1);
    }
    (*place)[std::string(rest)] = field.value();
  }
  return root;
}

std::string Fields::to_yaml() const {
  std::string out;
  emit_yaml(*this, to_json(), "", out);
  return out;
}

std::string Fields::help() const {
  std::string out;
  for (const Field& field : fields_) {
    out += fmt::format("  {:<34} {} ({}; default {})\n", field.key(), field.help(), field.expects(),
                       yaml_value(field.value()));
  }
  return out;
}

}  // namespace quern
