// A conversation rendered for a model, in which what people typed stays text: no special token can be written
// by typing what it looks like.
//
// Templates work on text, so the prompt is rendered first and split into tokens afterwards; by then
// "<|im_end|>" of the template and "<|im_end|>" of a message look alike. To tell them apart, every character
// of the request that a special token could begin with gets a sign behind it that occurs nowhere else. The
// signs travel through the template (trimming, slicing, joining, tojson) with the text and are taken out of
// the result, where each has marked the character before it as typed. Tags that the template itself looks for
// ("</think>") stay whole, unless a special token could begin in them.
//
// Names of roles are written by the program, not by people: a template may build its special tokens from
// them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/chat_template.h"
#include "text/segment.h"
#include "text/tokenizer.h"

namespace quern::text {

struct ChatPrompt {
  std::string text;  // what ChatTemplates::render gives
  // Characters that people typed and that special tokens begin with, in order, for EncodeOptions::plain.
  std::vector<Span> typed;
  // As in jinja::Rendered: what the assistant says.
  std::vector<std::pair<size_t, size_t>> generated;
};

// Errors of ChatTemplates::render. Thread-safe.
Result<ChatPrompt> render_prompt(const ChatTemplates& templates, const ChatRequest& request,
                                 const Tokenizer& tokenizer, const jinja::RenderOptions& options = {});

}  // namespace quern::text
