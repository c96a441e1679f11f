/* SPDX-License-Identifier: MIT */
/* apr config: every option's value, and where it comes from. */
#include "commands.h"

#include <stdio.h>

static const char *origin_name(option_origin origin)
{
    static const char *const NAMES[] = {"default", "settings file", "environment", "command line"};

    return NAMES[origin];
}

trueno_status config_command(cli_arguments *a, trueno_error *err)
{
    json_t *list = json_object();

    for (int i = 0; i < N_OPTION_ROWS; i++) {
        const char *origin = origin_name(a->origin[i]);
        char value[512];

        option_text(a, i, value, sizeof value);
        if (a->o.json)
            (void)json_object_set_new(list, OPTION_ROWS[i].name,
                                      json_pack("{s:s, s:s}", "value", value, "origin", origin));
        else if (a->o.show_origin)
            (void)printf("%-22s %-20s %s\n", OPTION_ROWS[i].name, value, origin);
        else
            (void)printf("%-22s %s\n", OPTION_ROWS[i].name, value);
    }
    if (a->o.json)
        return print_json(json_pack("{s:i, s:o}", "schema", 1, "options", list), err);
    json_decref(list);
    return TRUENO_OK;
}
