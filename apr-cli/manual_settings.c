/* SPDX-License-Identifier: MIT */
/* The page apr.yaml(5): settings files and recipes. */
#include "manual.h"
#include "settings.h"

#include <stdio.h>

static void print_places(void)
{
    (void)printf("\n# SETTINGS FILES\n\nRead in this order, a nearer file wins:\n\n");
    for (const settings_place *p = SETTINGS_PLACES; p->description != NULL; p++) {
        (void)printf(". ");
        print_manual_escaped(p->description);
        (void)putchar('\n');
    }
    (void)printf(
        "\nA file holds lines of NAME: VALUE. The names are those of the long options; top\\_p is "
        "top-p. The command line and the environment (_APR\\_TOP\\_P_) win over all files, a "
        "recipe "
        "over settings files. What a stronger source says also clears the opposite that a weaker "
        "one "
        "said: *--no-gpu* beats _gpu: true_. For a flag that has an opposite, _false_ means that "
        "one: _stream: false_ is _no-stream: true_.\n\n"
        "*--no-settings* reads none of these files. A folder named by _APR\\_CONFIG\\_SYSTEM_ "
        "takes the place of /etc/apr. *apr config --show-origin* tells where each value is "
        "from.\n");
}

static void print_values(void)
{
    (void)printf(
        "\n# VALUES\n\nThe option says what its value is, not the way the value looks:\n\n"
        "*true or false*\n\ttrue, false, yes, no, on, off, 1 or 0, in small or capital letters, "
        "without quotes.\n\n"
        "*whole numbers*\n\tDecimal digits without quotes; 0x10 and 1e3 are errors, 010 is ten.\n\n"
        "*numbers*\n\t7, 0.5 or 1e-3 without quotes; 0x10, .inf and .nan are errors.\n\n"
        "*texts*\n\tAs written: _no_, _0x10_ and _1e3_ are texts here. Quotes where YAML wants "
        "them, "
        "and around ~ and null.\n\n"
        "*lists of texts*\n\tA YAML list, or one text. They replace the list of a weaker "
        "source.\n\n"
        "A file is refused whole, with its name and line: exit status 4 where it is not YAML, 2 "
        "for "
        "anchors, aliases and tags, a name given twice, unknown names, values of the wrong kind, a "
        "second document, more than %d levels, %d values or %d bytes.\n",
        TREE_DEPTH, TREE_NODES, TREE_BYTES);
}

static void print_folder_names(void)
{
    bool first = true;

    (void)printf(
        "\n# THE WORKING FOLDER\n\nIt may be somebody else's, so its apr.yaml may set only "
        "what concerns sampling and display: ");
    for (int i = 0; i < N_OPTION_ROWS; i++) {
        if ((OPTION_ROWS[i].groups & (GROUP_SAMPLING | GROUP_DISPLAY)) == 0)
            continue;
        (void)printf("%s%s", first ? "" : ", ", OPTION_ROWS[i].name);
        first = false;
    }
    (void)printf(".\n");
}

static void print_recipes(void)
{
    (void)printf(
        "\n# RECIPES\n\nA YAML file that stands for a model in place of MODEL: a path that "
        "ends in .yaml or .yml, or a name, for _NAME.yaml_ in "
        "$XDG\\_CONFIG\\_HOME/apr/recipes where no file is called so.\n");
    for (const recipe_key *k = RECIPE_KEYS; k->name != NULL; k++) {
        (void)printf("\n*%s*\n\t", k->name);
        print_manual_escaped(k->help);
        (void)printf("\n");
    }
    (void)printf("\nParameters: ");
    for (int i = 0, n = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & (GROUP_SAMPLING | GROUP_PARAMETER)) != 0)
            (void)printf("%s%s", n++ == 0 ? "" : ", ", OPTION_ROWS[i].name);
    (void)printf(".\n\nThe commands");
    for (const command_row *c = COMMANDS; c->name != NULL; c++)
        if ((c->groups & GROUP_RECIPE) != 0 && c->groups != GROUP_EVERY)
            (void)printf(" *%s*", c->name);
    (void)printf(" take recipes, and of a recipe what they have options for.\n");
}

void print_settings_manual(void)
{
    (void)printf(
        "apr.yaml(5)\n\n# NAME\n\napr.yaml - settings and recipes of apr\n\n# DESCRIPTION\n\n"
        "Options of *apr*(1) that need not be given each time, in YAML.\n");
    print_places();
    print_values();
    print_folder_names();
    print_recipes();
    (void)printf(
        "\n# EXAMPLES\n\nThe user's apr.yaml:\n\n```\n"
        "threads: 4\ntemperature: 0.2\nstream: false\nstop:\n  - \"\\\\n\\\\n\"\n  - END\n```\n\n"
        "A recipe, _review.yaml_, for *apr run review.yaml -f main.c*:\n\n```\n"
        "model: models/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf\n"
        "system: You review C code. Be brief.\nparameters:\n  temperature: 0.2\n"
        "  max_tokens: 400\nstop: [\"</review>\"]\n```\n\n"
        "# SEE ALSO\n\n*apr*(1), *apr-config*(1), *apr-run*(1)\n");
}
