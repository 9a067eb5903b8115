#include "infer/sampling_options.h"

namespace quern::infer {

void DryOptions::fields(Fields& f) {
  f.add("dry_multiplier", multiplier, "discourages what continues a repetition; 0: off").range(0, 100);
  f.add("dry_base", base, "how fast that grows with each repeated token").range(1, 100);
  f.add("dry_allowed", allowed, "tokens in a row that may come twice freely").at_least(1);
  f.add("dry_last_n", last_n, "tokens that are searched for repetitions; -1: all").at_least(-1);
}

void SamplingOptions::fields(Fields& f) {
  f.add("temperature", temperature, "spread of the choice; 0: always the likeliest token").at_least(0);
  f.add("top_k", top_k, "choose among the k likeliest tokens; 0: all").at_least(0);
  f.add("top_p", top_p, "choose among the fewest tokens with this total probability").range(0, 1);
  f.add("min_p", min_p, "drop tokens below this share of the likeliest one's probability").range(0, 1);
  f.add("typical_p", typical_p, "choose among the most typical tokens with this total probability")
      .range(0, 1);
  f.add("repetition_penalty", repetition_penalty, "above 1 discourages tokens seen in prompt or output")
      .range(0.01, 100);
  f.add("presence_penalty", presence_penalty, "subtracted from the logit of tokens generated before")
      .range(-10, 10);
  f.add("frequency_penalty", frequency_penalty, "subtracted once for each time a token was generated")
      .range(-10, 10);
  f.add("repeat_last_n", repeat_last_n, "tokens that these penalties look back; -1: all").at_least(-1);
  f.add("top_n_sigma", top_n_sigma, "keep logits within so many standard deviations of the largest; 0: all")
      .at_least(0);
  f.add("xtc_probability", xtc_probability, "how often to exclude all likely tokens but the last")
      .range(0, 1);
  f.add("xtc_threshold", xtc_threshold, "probability from which a token counts as likely there").range(0, 1);
  f.add("mirostat", mirostat, "1 or 2: hold the surprise of each token near mirostat_tau; 0: off")
      .range(0, 2);
  f.add("mirostat_tau", mirostat_tau, "surprise to hold, in bits").at_least(0);
  f.add("mirostat_eta", mirostat_eta, "how fast mirostat corrects itself").range(0, 1);
  dry.fields(f);
  f.add("seed", seed, "same seed, same text");
}

}  // namespace quern::infer
