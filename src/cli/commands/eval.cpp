// quern eval: measures of models, one sub-verb each in eval_<name>.cpp
#include "cli/command.h"

namespace quern::cli {

Command eval_perplexity_command();
Command eval_compare_command();

Command eval_command() {
  return {.name = "eval",
          .group = Group::inspect,
          .summary = "measure what a model knows",
          .details = {},
          .examples =
              "quern eval perplexity runs/demo/model --data held_out.txt\n"
              "quern eval compare smollm2 --adapter runs/tune/adapter --data data/alpaca",
          .define = nullptr,
          .subcommands = {eval_perplexity_command(), eval_compare_command()}};
}

}  // namespace quern::cli
