/* SPDX-License-Identifier: MIT */
/* apr: the program. */
#include "commands.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
