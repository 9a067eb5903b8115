#include "text/own_chat_form.h"

namespace quern::text {

const std::vector<std::string>& own_chat_markers() {
  static const std::vector<std::string> markers = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"};
  return markers;
}

std::string_view own_chat_template() {
  return R"({{- bos_token -}}
{%- for message in messages -%}
  {%- if message.role == 'assistant' -%}
    {{- '<|assistant|>' -}}
    {%- generation -%}{{- message.content + '<|end|>' -}}{%- endgeneration -%}
  {%- elif message.role in ['system', 'user'] -%}
    {{- '<|' + message.role + '|>' + message.content -}}
  {%- else -%}
    {{- raise_exception('expected the role system, user or assistant, got "' + message.role + '"') -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
)";
}

const ChatTemplates& own_chat_form() {
  static const ChatTemplates form = [] {
    ChatTemplates templates;
    templates.add("default", own_chat_template()).value();
    return templates;
  }();
  return form;
}

}  // namespace quern::text
