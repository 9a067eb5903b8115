// The families there are, one file each.
#pragma once

#include "model/family.h"

namespace quern::model {

extern const Family kAlbert;
extern const Family kBart;
extern const Family kBert;
extern const Family kDebertaV2;
extern const Family kDistilBert;
extern const Family kElectra;
extern const Family kFalcon;
extern const Family kGemma2;
extern const Family kGemma3Text;
extern const Family kGemma;
extern const Family kGpt2;
extern const Family kGptNeoX;
extern const Family kLlama;
extern const Family kMistral;
extern const Family kMixtral;
extern const Family kMpNet;
extern const Family kMpt;
extern const Family kMt5;
extern const Family kOlmo2;
extern const Family kOpt;
extern const Family kPhi3;
extern const Family kPhi;
extern const Family kQwen2;
extern const Family kQwen2Moe;
extern const Family kQwen3;
extern const Family kQwen3Moe;
extern const Family kRoberta;
extern const Family kSmolLm3;
extern const Family kStarcoder2;
extern const Family kT5;
extern const Family kXlmRoberta;

}  // namespace quern::model
