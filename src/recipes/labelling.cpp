#include "recipes/labelling.h"

namespace quern::recipes {

void RowsConfig::fields(Fields& f) {
  f.add("rename", rename, "fields of rows under other names: theirs=ours");
  f.add("validation", validation, "share of the rows held out, where no validation file stands beside them")
      .range(0, 0.9);
}

void ClassifyConfig::fields(Fields& f) {
  f.add("kind", kind, "sequence: labels of texts; token: of each word; question: answers out of a context",
        {{"sequence", Kind::sequence}, {"token", Kind::token}, {"question", Kind::question}});
  f.add("problem", problem,
        "of texts: one label, labels by themselves, or a number; auto: as the rows have it",
        {{"auto", Guess::automatic},
         {"single_label", Guess::single_label},
         {"multi_label", Guess::multi_label},
         {"regression", Guess::regression}});
  f.add("labels", labels, "in their order; unset: those of the rows, sorted");
  f.add("stride", stride, "kind question: tokens that a window of a long context shares with the one before")
      .at_least(0);
}

model::Head ClassifyConfig::head() const {
  switch (kind) {
    case Kind::sequence:
      return model::Head::sequence_classification;
    case Kind::token:
      return model::Head::token_classification;
    case Kind::question:
      return model::Head::question_answering;
  }
  return model::Head::none;
}

std::optional<model::Problem> ClassifyConfig::given_problem() const {
  switch (problem) {
    case Guess::automatic:
      return std::nullopt;
    case Guess::single_label:
      return model::Problem::single_label;
    case Guess::multi_label:
      return model::Problem::multi_label;
    case Guess::regression:
      return model::Problem::regression;
  }
  return std::nullopt;
}

void EmbedConfig::fields(Fields& f) {
  f.add(
      "loss", loss,
      "ranking: a text's own among those of the step; triplet: by a margin; cosine, cosent: of scored pairs; "
      "auto: ranking, of scored pairs cosent",
      {{"auto", Loss::automatic},
       {"ranking", Loss::ranking},
       {"triplet", Loss::triplet},
       {"cosine", Loss::cosine},
       {"cosent", Loss::cosent}});
  f.add("scale", options.scale, "of cosines in ranking and cosent").range(1e-3, 1e4);
  f.add("margin", options.margin, "triplet: how much nearer texts of a kind must be").range(0, 2);
  using infer::Pooling;
  f.add("pooling", pooling, "how the states of tokens become one vector; unset: as the model says, or mean",
        {{"mean", Pooling::mean},
         {"cls", Pooling::cls},
         {"max", Pooling::max},
         {"last", Pooling::last},
         {"weighted-mean", Pooling::weighted_mean},
         {"mean-sqrt-len", Pooling::mean_sqrt_len},
         {"pooler", Pooling::pooler}});
}

}  // namespace quern::recipes
