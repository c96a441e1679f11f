/* SPDX-License-Identifier: MIT */
/*
 * folders TINY_FOLDER: Hugging Face folders as other people's programs may have left them. Weights
 * at any address and of every float type, config.json of both generations: the logits that
 * transformers computed (tests/references/tiny_models.py). Weights of integers, missing tensors,
 * shapes against the config, unknown architectures: refused with the words that name them.
 */
#include "tiny_folder.h"

#include <math.h>
#include <trueno/sys/half.h>
#include <unistd.h>

enum { PROMPT = 200, LOGITS = PROMPT * 64 };

static const char *tiny_folder;
static char work[] = "/tmp/apr-test-XXXXXX";

static size_t element_bytes(const char *dtype)
{
    const size_t digits = strcspn(dtype, "0123456789");
    const long bits = strncmp(dtype, "F8", 2) == 0 || strcmp(dtype, "BOOL") == 0
                          ? 8
                          : strtol(dtype + digits, NULL, 10);

    return (size_t)bits / 8;
}

/* One number of a float type; of the other types only the size counts. */
static void put_element(const char *dtype, float x, uint8_t *out)
{
    const uint16_t half = dtype[0] == 'B' ? trueno_f32_to_bf16(x) : trueno_f32_to_f16(x);
    const double wide = x;

    if (strcmp(dtype, "F64") == 0)
        memcpy(out, &wide, sizeof wide);
    else if (strcmp(dtype, "F32") == 0)
        memcpy(out, &x, sizeof x);
    else if (strcmp(dtype, "F16") == 0 || strcmp(dtype, "BF16") == 0)
        memcpy(out, &half, sizeof half);
    else
        memset(out, 0, element_bytes(dtype));
}

/* Tensor `only` (NULL: all), which is F32, in another type; tensors follow each other anew. */
static void change_type(folder *f, const char *only, const char *dtype)
{
    uint8_t *data = malloc(2 * f->bytes + 8);
    size_t at = 0;
    const char *name;
    json_t *entry;

    json_object_foreach(f->header, name, entry)
    {
        const json_t *offsets = json_object_get(entry, "data_offsets");
        const size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
        const size_t end = (size_t)json_integer_value(json_array_get(offsets, 1)), first = at;
        const char *type = only == NULL || strcmp(only, name) == 0 ? dtype : "F32";

        if (offsets == NULL)
            continue; /* metadata */
        for (size_t i = begin; i < end; i += 4, at += element_bytes(type)) {
            float x;

            memcpy(&x, f->data + i, sizeof x);
            put_element(type, x, data + at);
        }
        json_object_set_new(entry, "dtype", json_string(type));
        json_object_set_new(entry, "data_offsets",
                            json_pack("[II]", (json_int_t)first, (json_int_t)at));
    }
    free(f->data);
    f->data = data;
    f->bytes = at;
}

/* Logits of the recorded prompt for what was written, or the refusal. */
static trueno_status run(const char *backend, bool keep_mapping, const int32_t *ids, float *logits,
                         trueno_error *err)
{
    realizar_engine_options o;
    realizar_engine *e = NULL;
    realizar_session *s = NULL;
    trueno_status status;

    *err = (trueno_error){0};
    realizar_engine_options_init(&o, sizeof o);
    o.backend = backend;
    o.keep_mapping = keep_mapping;
    o.kv_type = TRUENO_KV_F32;
    o.bench_only = true; /* there is no tokenizer */
    status = realizar_engine_open(&e, work, &o, err);
    if (status == TRUENO_OK && (status = realizar_session_new(&s, e, 0, err)) == TRUENO_OK) {
        realizar_step_item item = {s, ids, PROMPT, REALIZAR_ROWS_ALL, logits, NULL, NULL, NULL};

        status = realizar_step(e, &item, 1, err);
    }
    realizar_session_free(s);
    realizar_engine_close(e);
    return status;
}

static int32_t recorded_ids[PROMPT];
static float recorded[LOGITS], logits[LOGITS];

static void read_recorded(const char *name)
{
    char path[512];
    uint8_t *file;
    size_t bytes;

    (void)snprintf(path, sizeof path, "%s/%s.logits", tiny_folder, name);
    file = read_file(path, &bytes);
    assert_int_equal(bytes, 8 + sizeof recorded_ids + sizeof recorded);
    memcpy(recorded_ids, file + 8, sizeof recorded_ids);
    memcpy(recorded, file + 8 + sizeof recorded_ids, sizeof recorded);
    free(file);
}

static void check_logits(const char *what)
{
    float most = 0, far = 0;

    for (int i = 0; i < LOGITS; i++) {
        most = fmaxf(most, recorded[i]);
        if (!(fabsf(logits[i] - recorded[i]) <= far))
            far = fabsf(logits[i] - recorded[i]);
    }
    if (!(far <= 1e-4f * most))
        fail_msg("%s: a logit is %g from transformers', the largest is %g", what, (double)far,
                 (double)most);
}

/* Every float type at every alignment; the weights' values are exact in F16, not in BF16. */
static void test_addresses(void **state)
{
    static const char *const TYPES[] = {"F32", "F16", "BF16", "F64"};
    static const struct {
        const char *backend;
        bool keep_mapping;
    } SIDES[] = {{"cpu", false}, {"cpu", true}, {"reference", false}};
    static float first[LOGITS];
    trueno_error err = {0};

    (void)state;
    read_recorded("qwen2");
    for (size_t type = 0; type < sizeof TYPES / sizeof TYPES[0]; type++)
        for (size_t side = 0; side < sizeof SIDES / sizeof SIDES[0]; side++)
            for (int pad = 0; pad < 8; pad++) {
                folder f = read_folder(tiny_folder, "qwen2");
                char what[80];

                change_type(&f, NULL, TYPES[type]);
                f.pad = pad;
                write_folder(&f, work);
                free_folder(&f);
                (void)snprintf(what, sizeof what, "%s %d bytes on, %s%s", TYPES[type], pad,
                               SIDES[side].backend, SIDES[side].keep_mapping ? " mapped" : "");
                if (run(SIDES[side].backend, SIDES[side].keep_mapping, recorded_ids, logits, &err) <
                    0)
                    fail_msg("%s: %s", what, err.message);
                if (strcmp(TYPES[type], "BF16") != 0)
                    check_logits(what);
                if (pad == 0)
                    memcpy(first, logits, sizeof first);
                if (memcmp((const char *)first, (const char *)logits, sizeof first) != 0)
                    fail_msg("%s: other logits than at the first address", what);
            }
}

/* What transformers 5 writes as rope_parameters and dtype, as its forerunners wrote it. */
static void test_older_config(void **state)
{
    static const char *const NAMES[] = {"qwen2-yarn", "llama3-rope", "llama-linear", "phi3"};
    trueno_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        folder f = read_folder(tiny_folder, NAMES[i]);
        json_t *rope = json_incref(json_object_get(f.config, "rope_parameters"));
        json_t *factor = json_object_get(rope, "partial_rotary_factor");

        assert_non_null(rope);
        json_object_set(f.config, "rope_theta", json_object_get(rope, "rope_theta"));
        json_object_del(rope, "rope_theta");
        if (factor != NULL)
            json_object_set(f.config, "partial_rotary_factor", factor);
        json_object_del(rope, "partial_rotary_factor");
        if (strcmp(json_string_value(json_object_get(rope, "rope_type")), "default") != 0)
            json_object_set(f.config, "rope_scaling", rope);
        json_object_del(f.config, "rope_parameters");
        json_object_set(f.config, "torch_dtype", json_object_get(f.config, "dtype"));
        json_object_del(f.config, "dtype");
        json_decref(rope);
        write_folder(&f, work);
        free_folder(&f);
        read_recorded(NAMES[i]);
        if (run("cpu", false, recorded_ids, logits, &err) < 0)
            fail_msg("%s: %s", NAMES[i], err.message);
        check_logits(NAMES[i]);
    }
}

/* The text model of a larger one: its config a member, its names behind either prefix. */
static void test_wrapped(void **state)
{
    static const char *const PREFIXES[] = {"language_model.model.", "model.language_model."};
    trueno_error err = {0};

    (void)state;
    read_recorded("gemma3");
    for (int i = 0; i < 2; i++) {
        folder f = read_folder(tiny_folder, "gemma3");
        json_t *header = json_object(), *entry;
        const char *name;

        json_object_foreach(f.header, name, entry)
        {
            char wrapped[200];

            (void)snprintf(wrapped, sizeof wrapped, "%s%s", PREFIXES[i],
                           strncmp(name, "model.", 6) == 0 ? name + 6 : name);
            json_object_set(header, name[0] == '_' ? name : wrapped, entry);
        }
        json_decref(f.header);
        f.header = header;
        f.config = json_pack("{s:[s],s:s,s:o}", "architectures", "Gemma3ForConditionalGeneration",
                             "model_type", "gemma3", "text_config", f.config);
        write_folder(&f, work);
        free_folder(&f);
        if (run("cpu", false, recorded_ids, logits, &err) < 0)
            fail_msg("%s: %s", PREFIXES[i], err.message);
        check_logits(PREFIXES[i]);
    }
}

static void check_refused(folder *f, const char *says, const char *says_too)
{
    trueno_error err = {0};
    trueno_status status;

    write_folder(f, work);
    free_folder(f);
    status = run("cpu", false, recorded_ids, logits, &err);
    if (strncmp(err.message, work, strlen(work)) != 0 || strstr(err.message + 1, work) != NULL)
        fail_msg("'%s' must name the folder once, first", err.message);
    if (status != TRUENO_UNSUPPORTED || strstr(err.message, says) == NULL ||
        strstr(err.message, says_too) == NULL)
        fail_msg("status %d, '%s'; wanted '%s' and '%s'", status, err.message, says, says_too);
}

#define DOWN      "model.layers.1.mlp.down_proj.weight"
#define GATE_BIAS "model.layers.1.mlp.gate_proj.bias"

static void test_types_refused(void **state)
{
    static const char *const TYPES[] = {"I8",  "U8",  "BOOL", "F8_E4M3", "F8_E5M2", "I16",
                                        "U16", "I32", "U32",  "I64",     "U64"};
    static const char *const TENSORS[] = {DOWN, "model.layers.0.self_attn.q_proj.bias",
                                          "model.norm.weight", "model.embed_tokens.weight"};

    (void)state;
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        for (size_t k = 0; k < sizeof TENSORS / sizeof TENSORS[0]; k++) {
            folder f = read_folder(tiny_folder, "qwen2");

            change_type(&f, TENSORS[k], TYPES[i]);
            check_refused(&f, TENSORS[k], TYPES[i]);
        }
}

static void set_shape(folder *f, const char *name, json_int_t rows, json_int_t cols)
{
    json_object_set_new(json_object_get(f->header, name), "shape", json_pack("[II]", rows, cols));
}

static void test_tensors_refused(void **state)
{
    folder f = read_folder(tiny_folder, "qwen2");
    json_t *entry = json_incref(json_object_get(f.header, DOWN));

    (void)state;
    json_object_del(f.header, DOWN);
    json_object_set_new(f.header, "something.else", entry);
    check_refused(&f, DOWN, "missing");
    f = read_folder(tiny_folder, "qwen2");
    set_shape(&f, DOWN, 64, 112); /* turned */
    check_refused(&f, DOWN, "[112, 64");
    f = read_folder(tiny_folder, "qwen2");
    json_object_set_new(f.config, "vocab_size", json_integer(65));
    check_refused(&f, "lm_head.weight", "[65, 112");
    f = read_folder(tiny_folder, "qwen2");
    json_object_set_new(f.config, "num_key_value_heads", json_integer(7));
    check_refused(&f, "self_attn.k_proj", "[112");
    f = read_folder(tiny_folder, "llama-bias"); /* of the two that share a product, one */
    entry = json_incref(json_object_get(f.header, GATE_BIAS));
    json_object_del(f.header, GATE_BIAS);
    json_object_set_new(f.header, "something.else", entry);
    check_refused(&f, GATE_BIAS, "missing");
}

static void test_architectures_refused(void **state)
{
    folder f = read_folder(tiny_folder, "qwen2");

    (void)state;
    json_object_set_new(f.config, "architectures", json_pack("[s]", "MambaForCausalLM"));
    check_refused(&f, "MambaForCausalLM", "qwen2, qwen3, llama, phi3");
}

static int make_work(void **state)
{
    (void)state;
    return mkdtemp(work) == NULL;
}

static int remove_work(void **state)
{
    (void)state;
    remove_folder(work);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),       cmocka_unit_test(test_older_config),
        cmocka_unit_test(test_wrapped),         cmocka_unit_test(test_types_refused),
        cmocka_unit_test(test_tensors_refused), cmocka_unit_test(test_architectures_refused),
    };

    if (argc != 2)
        return 2;
    tiny_folder = argv[1];
    return cmocka_run_group_tests(tests, make_work, remove_work);
}
