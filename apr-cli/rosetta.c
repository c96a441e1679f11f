/* SPDX-License-Identifier: MIT */
/* apr rosetta: the verbs about conversions, one row each. */
#include "commands.h"

const command_row ROSETTA_VERBS[] = {
    {"rosetta convert", "SOURCE TARGET", "write a model in the format that TARGET's name says",
     GROUP_CONVERT | GROUP_FILE, 2, 2, rosetta_convert_command},
    {0},
};
