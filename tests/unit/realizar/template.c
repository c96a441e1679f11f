/* SPDX-License-Identifier: MIT */
/* The template language: every row of own.json (made with Jinja2 by chat_templates.py) renders to
 * the same text, or fails for the same kind of reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "template_fixture.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_expected_error(const char *kind, trueno_status status)
{
    if (strcmp(kind, "syntax") == 0)
        return status == TRUENO_FORMAT;
    if (strcmp(kind, "refused") == 0)
        return status == TRUENO_USAGE;
    return status == TRUENO_CONTENT || status == TRUENO_UNSUPPORTED;
}

/* Prints what differs; returns whether something did. */
static bool row_differs(const json_t *row, const realizar_chat_input *input)
{
    const char *source = json_string_value(json_object_get(row, "source"));
    const char *text = json_string_value(json_object_get(row, "text"));
    size_t bytes = json_string_length(json_object_get(row, "text"));
    const char *kind = json_string_value(json_object_get(row, "error"));
    realizar_prompt prompt = {0};
    trueno_error err = {0};
    trueno_status status = render_source(source, input, NULL, &prompt, &err);
    bool good;

    if (status == TRUENO_OK)
        good = text != NULL && prompt.bytes == bytes && memcmp(prompt.text, text, bytes) == 0;
    else
        good = kind != NULL && is_expected_error(kind, status) &&
               strncmp(err.message, "t.jinja:", 8) == 0;
    if (!good)
        print_error("%s\n  expected: %s\n  found:    %s\n", source, text != NULL ? text : kind,
                    status == TRUENO_OK ? prompt.text : err.message);
    realizar_prompt_free(&prompt);
    return !good;
}

static void test_own_templates(void **state)
{
    json_error_t error;
    json_t *file = json_load_file(TEST_DATA_DIR "/templates/own.json", JSON_ALLOW_NUL, &error);
    json_t *rows = json_object_get(file, "rows");
    char *variables = json_dumps(json_object_get(file, "variables"), 0);
    realizar_chat_input input = input_of(NULL, variables);
    unsigned wrong = 0;

    (void)state;
    assert_true(json_array_size(rows) > 300);
    input.now = json_integer_value(json_object_get(file, "now"));
    for (size_t i = 0; i < json_array_size(rows); i++)
        wrong += row_differs(json_array_get(rows, i), &input);
    assert_int_equal(wrong, 0);
    free(variables);
    json_decref(file);
}

static const char MESSAGES[] =
    "[{\"role\":\"system\",\"content\":\"Sys\"},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]},"
    "{\"role\":\"assistant\",\"content\":\"Yo\"},"
    "{\"role\":\"user\",\"content\":\"Bye\"}]";

/* The documented form of every preset. */
static void test_presets(void **state)
{
    static const char *const ROWS[][2] = {
        {"chatml", "<|im_start|>system\nSys<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
                   "<|im_start|>assistant\nYo<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
                   "<|im_start|>assistant\n"},
        {"llama2", "<s>[INST] <<SYS>>\nSys\n<</SYS>>\n\nHi [/INST] Yo </s><s>[INST] Bye [/INST]"},
        {"llama3", "<s><|start_header_id|>system<|end_header_id|>\n\nSys<|eot_id|>"
                   "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                   "<|start_header_id|>assistant<|end_header_id|>\n\nYo<|eot_id|>"
                   "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
                   "<|start_header_id|>assistant<|end_header_id|>\n\n"},
        {"mistral", "<s>[INST] Sys\n\nHi [/INST] Yo</s>[INST] Bye [/INST]"},
        {"gemma", "<s><start_of_turn>user\nSys\n\nHi<end_of_turn>\n<start_of_turn>model\n"
                  "Yo<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n"
                  "<start_of_turn>model\n"},
        {"phi3", "<|system|>\nSys<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nYo<|end|>\n<|user|>\n"
                 "Bye<|end|>\n<|assistant|>\n"},
        {"deepseek", "<s>Sys<｜User｜>Hi<｜Assistant｜>Yo<｜end▁of▁sentence｜><｜User｜>Bye"
                     "<｜Assistant｜>"},
        {"zephyr",
         "<|system|>\nSys</s>\n<|user|>\nHi</s>\n<|assistant|>\nYo</s>\n<|user|>\nBye</s>\n"
         "<|assistant|>\n"},
        {"phi2", "Instruct: Sys\n\nHi\nOutput: Yo\nInstruct: Bye\nOutput:"},
        {"alpaca", "Sys\n\n### Instruction:\nHi\n\n### Response:\nYo\n\n### Instruction:\nBye\n\n"
                   "### Response:\n"},
        {"raw", "SysHiYoBye"},
    };
    realizar_chat_input input = input_of(MESSAGES, NULL);

    (void)state;
    input.bos_token = "<s>";
    input.eos_token = "</s>";
    input.add_generation_prompt = true;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        realizar_prompt prompt = {0};
        trueno_error err = {0};
        const char *source = realizar_template_preset(ROWS[i][0]);

        assert_string_equal(realizar_template_preset_name(i), ROWS[i][0]);
        assert_non_null(source);
        if (render_source(source, &input, NULL, &prompt, &err) < 0)
            fail_msg("%s: %s", ROWS[i][0], err.message);
        assert_string_equal(prompt.text, ROWS[i][1]);
        realizar_prompt_free(&prompt);
    }
    assert_null(realizar_template_preset_name(sizeof ROWS / sizeof ROWS[0]));
    assert_null(realizar_template_preset("nope"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_templates),
        cmocka_unit_test(test_presets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
