#include "model/new_head.h"

#include "model/families/config_reader.h"
#include "model/family.h"

namespace quern::model {

// By way of config.json, since families say there what each of their heads is like.
Result<ModelConfig> with_head(const ModelConfig& config, const NewHead& head) {
  QUERN_TRY(const Family* family, find_family(config.family));
  QUERN_TRY(nlohmann::ordered_json json, write_config(config));
  for (const char* key : {"id2label", "label2id", "problem_type"}) json.erase(key);
  ModelConfig wanted = config;
  wanted.head = head.head;
  wanted.problem = head.problem;
  wanted.labels = head.labels;
  json["architectures"] = {class_name(*family, wanted)};
  write_head(wanted, json);
  QUERN_TRY(ModelConfig result, read_config(json, json["architectures"][0].get<std::string>()));
  result.dropout = config.dropout;
  if (result.head != head.head) {
    return make_error(ErrorCode::unsupported,
                      "models of family '" + config.family + "' have no head of this kind");
  }
  return result;
}

}  // namespace quern::model
