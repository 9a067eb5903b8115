// The scripts of web/report that draw pages: see write_page().
#pragma once

#include <string_view>

namespace quern::assets {

extern const std::string_view report_examples_js;    // examples to tune on, and what is learnt of them
extern const std::string_view report_perplexity_js;  // how well a text is predicted
extern const std::string_view report_recipe_js;      // the stages of a recipe

}  // namespace quern::assets
