// What tells kinds of models apart, and the heads they carry.
#pragma once

#include <cstdint>

namespace quern::model {

enum class Kind : uint8_t { decoder, encoder, encoder_decoder };

// What an encoder makes of its final states:
//   none                      the states; where there is a dense layer, also the pooled first state
//   masked_lm                 logits of each token
//   sequence_classification   one row of labels for the whole text
//   token_classification      a row of labels for each token
//   question_answering        how well an answer begins and ends at each token
//   discriminator             whether each token was replaced (ELECTRA)
enum class Head : uint8_t {
  none,
  masked_lm,
  sequence_classification,
  token_classification,
  question_answering,
  discriminator
};

// What the outputs of a sequence classifier mean: one label of several, each label by itself, or numbers.
enum class Problem : uint8_t { single_label, multi_label, regression };

}  // namespace quern::model
