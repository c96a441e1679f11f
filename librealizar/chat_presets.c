/* SPDX-License-Identifier: MIT */
/* The built-in chat templates, one row each, for models that carry none and for --chat-template. */
#include <realizar/chat.h>

#include <string.h>

/* text(message): its content, or the texts of its parts. */
#define TEXT                                                                                 \
    "{%- macro text(message) -%}\n"                                                          \
    "  {%- if message.content is string -%}{{ message.content }}\n"                          \
    "  {%- else -%}{%- for part in message.content or [] -%}{{ part.text }}{%- endfor -%}\n" \
    "  {%- endif -%}\n"                                                                      \
    "{%- endmacro -%}\n"

/* For formats without a system role: `system` holds the system messages until a user speaks. */
#define KEEP_SYSTEM                             \
    "{%- set held = namespace(system='') -%}\n" \
    "{%- for message in messages -%}\n"         \
    "  {%- if message.role == 'system' -%}\n"   \
    "    {%- set held.system = held.system ~ text(message) ~ '\\n\\n' -%}\n"

static const struct preset {
    const char *name;
    const char *source;
} PRESETS[] = {
    {"chatml",
     TEXT "{%- for message in messages -%}\n"
          "  {{- '<|im_start|>' ~ message.role ~ '\\n' ~ text(message) ~ "
          "'<|im_end|>\\n' -}}\n"
          "{%- endfor -%}\n"
          "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"},
    {"llama2",
     TEXT "{%- set held = namespace(system='') -%}\n"
          "{%- for message in messages -%}\n"
          "  {%- if message.role == 'system' -%}\n"
          "    {%- set held.system = '<<SYS>>\\n' ~ text(message) ~ "
          "'\\n<</SYS>>\\n\\n' -%}\n"
          "  {%- elif message.role == 'user' -%}\n"
          "    {{- bos_token ~ '[INST] ' ~ held.system ~ text(message)|trim ~ "
          "' [/INST]' -}}\n"
          "    {%- set held.system = '' -%}\n"
          "  {%- else -%}{{- ' ' ~ text(message)|trim ~ ' ' ~ eos_token -}}{%- endif -%}\n"
          "{%- endfor -%}"},
    {"llama3", TEXT "{{- bos_token -}}\n"
                    "{%- for message in messages -%}\n"
                    "  {{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\\n\\n' ~ "
                    "text(message)|trim ~ '<|eot_id|>' -}}\n"
                    "{%- endfor -%}\n"
                    "{%- if add_generation_prompt -%}\n"
                    "  {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}\n"
                    "{%- endif -%}"},
    {"mistral", TEXT "{{- bos_token -}}\n" KEEP_SYSTEM "  {%- elif message.role == 'user' -%}\n"
                     "    {{- '[INST] ' ~ held.system ~ text(message) ~ ' [/INST]' -}}\n"
                     "    {%- set held.system = '' -%}\n"
                     "  {%- else -%}{{- ' ' ~ text(message)|trim ~ eos_token -}}{%- endif -%}\n"
                     "{%- endfor -%}"},
    {"gemma",
     TEXT "{{- bos_token -}}\n" KEEP_SYSTEM "  {%- else -%}\n"
          "    {%- set role = 'model' if message.role == 'assistant' else message.role -%}\n"
          "    {{- '<start_of_turn>' ~ role ~ '\\n' ~ held.system ~ text(message)|trim ~ "
          "'<end_of_turn>\\n' -}}\n"
          "    {%- set held.system = '' -%}\n"
          "  {%- endif -%}\n"
          "{%- endfor -%}\n"
          "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}"},
    {"phi3", TEXT "{%- for message in messages -%}\n"
                  "  {{- '<|' ~ message.role ~ '|>\\n' ~ text(message) ~ '<|end|>\\n' -}}\n"
                  "{%- endfor -%}\n"
                  "{%- if add_generation_prompt -%}{{ '<|assistant|>\\n' }}{%- endif -%}"},
    {"deepseek", TEXT "{{- bos_token -}}\n"
                      "{%- for message in messages -%}\n"
                      "  {%- if message.role == 'user' -%}\n"
                      "    {{- '<｜User｜>' ~ text(message) -}}\n"
                      "  {%- elif message.role == 'assistant' -%}\n"
                      "    {{- '<｜Assistant｜>' ~ text(message) ~ '<｜end▁of▁sentence｜>' -}}\n"
                      "  {%- else -%}{{- text(message) -}}{%- endif -%}\n"
                      "{%- endfor -%}\n"
                      "{%- if add_generation_prompt -%}{{ '<｜Assistant｜>' }}{%- endif -%}"},
    {"zephyr", TEXT "{%- for message in messages -%}\n"
                    "  {{- '<|' ~ message.role ~ '|>\\n' ~ text(message) ~ eos_token ~ '\\n' -}}\n"
                    "{%- endfor -%}\n"
                    "{%- if add_generation_prompt -%}{{ '<|assistant|>\\n' }}{%- endif -%}"},
    {"phi2",
     TEXT KEEP_SYSTEM "  {%- elif message.role == 'user' -%}\n"
                      "    {{- 'Instruct: ' ~ held.system ~ text(message) ~ '\\n' -}}\n"
                      "    {%- set held.system = '' -%}\n"
                      "  {%- else -%}{{- 'Output: ' ~ text(message) ~ '\\n' -}}{%- endif -%}\n"
                      "{%- endfor -%}\n"
                      "{%- if add_generation_prompt -%}{{ 'Output:' }}{%- endif -%}"},
    {"alpaca", TEXT KEEP_SYSTEM
     "  {%- elif message.role == 'user' -%}\n"
     "    {{- held.system ~ '### Instruction:\\n' ~ text(message) ~ '\\n\\n' -}}\n"
     "    {%- set held.system = '' -%}\n"
     "  {%- else -%}{{- '### Response:\\n' ~ text(message) ~ '\\n\\n' -}}{%- endif -%}\n"
     "{%- endfor -%}\n"
     "{%- if add_generation_prompt -%}{{ '### Response:\\n' }}{%- endif -%}"},
    {"raw", TEXT "{%- for message in messages -%}{{- text(message) -}}{%- endfor -%}"},
};

const char *realizar_template_preset_name(size_t i)
{
    return i < sizeof PRESETS / sizeof PRESETS[0] ? PRESETS[i].name : NULL;
}

const char *realizar_template_preset(const char *name)
{
    for (size_t i = 0; i < sizeof PRESETS / sizeof PRESETS[0]; i++)
        if (strcmp(PRESETS[i].name, name) == 0)
            return PRESETS[i].source;
    return NULL;
}
