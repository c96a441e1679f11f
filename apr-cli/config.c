/* SPDX-License-Identifier: MIT */
/* apr config: every option's value, and where it comes from. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

static const char *origin_name(option_origin origin)
{
    static const char *const NAMES[] = {
        [ORIGIN_DEFAULT] = "default",
        [ORIGIN_SYSTEM] = "settings file",
        [ORIGIN_USER] = "settings file",
        [ORIGIN_FOLDER] = "settings file",
        [ORIGIN_RECIPE] = "recipe",
        [ORIGIN_ENVIRONMENT] = "environment",
        [ORIGIN_COMMAND_LINE] = "command line",
    };

    return NAMES[origin];
}

static json_t *option_json(const char *value, const option_source *source)
{
    json_t *o = json_pack("{s:o, s:s}", "value", json_text(value, strlen(value)), "origin",
                          origin_name(source->origin));

    if (source->file != NULL) {
        (void)json_object_set_new(o, "file", json_text(source->file, strlen(source->file)));
        (void)json_object_set_new(o, "line", json_integer(source->line));
    }
    return o;
}

static void print_option(const char *name, const char *value, const option_source *source,
                         bool show_origin)
{
    if (!show_origin)
        (void)printf("%-22s %s\n", name, value);
    else if (source->file != NULL)
        (void)printf("%-22s %-20s %s:%d\n", name, value, source->file, source->line);
    else
        (void)printf("%-22s %-20s %s\n", name, value, origin_name(source->origin));
}

trueno_status config_command(cli_arguments *a, trueno_error *err)
{
    json_t *list = json_object();

    for (int i = 0; i < N_OPTION_ROWS; i++) {
        char value[512];

        option_text(a, i, value, sizeof value);
        if (a->o.json)
            (void)json_object_set_new(list, OPTION_ROWS[i].name, option_json(value, &a->source[i]));
        else
            print_option(OPTION_ROWS[i].name, value, &a->source[i], a->o.show_origin);
    }
    if (a->o.json)
        return print_json(json_pack("{s:i, s:o}", "schema", 1, "options", list), err);
    json_decref(list);
    return TRUENO_OK;
}
