/* SPDX-License-Identifier: MIT */
/* The nearest of several words, for who mistyped. */
#include "options.h"

#include <string.h>

/* Edits from a to b: letters added, removed, changed, or two neighbours swapped. */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    size_t n = strlen(a), m = strlen(b);
    int d[LONGEST + 1][LONGEST + 1];

    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            int best = i == 0 ? (int)j : j == 0 ? (int)i : d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

            if (i > 0 && d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (j > 0 && d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

const char *nearest_word(const char *word, const char *const *names)
{
    const char *best = NULL;
    int least = (int)strlen(word) / 2 + 1;

    for (; *names != NULL; names++) {
        int distance = edit_distance(word, *names);

        if (distance < least) {
            least = distance;
            best = *names;
        }
    }
    return best;
}
