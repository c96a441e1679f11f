/* SPDX-License-Identifier: MIT */
/* Keys of the line editor: paste, line break, interrupt, external editor, completion. */
#include "editing.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { LONGEST_PASTE = 16 << 20 }; /* characters */

static line_input *input_of(EditLine *editor)
{
    line_input *in;

    (void)el_get(editor, EL_CLIENTDATA, &in);
    return in;
}

/* While a line is edited, the terminal sends no signals and Ctrl-C is a key. */
static unsigned char key_interrupt(EditLine *editor, int key)
{
    line_input *in = input_of(editor);

    (void)key;
    in->interrupted = true;
    in->ends = interrupt_ends_process();
    (void)fputs("^C", in->screen);
    return CC_EOF;
}

/* Others find the terminal as it was, and leave it to us again. */
static void lend_terminal(EditLine *editor)
{
    (void)el_set(editor, EL_PREP_TERM, 0);
    terminal_restore();
}

static void take_terminal(EditLine *editor)
{
    (void)el_set(editor, EL_PREP_TERM, 1);
}

static unsigned char key_suspend(EditLine *editor, int key)
{
    (void)key;
    lend_terminal(editor);
    (void)raise(SIGTSTP);
    take_terminal(editor);
    return CC_REDISPLAY;
}

static unsigned char key_line_break(EditLine *editor, int key)
{
    (void)key;
    return el_insertstr(editor, "\n") == 0 ? CC_REFRESH : CC_ERROR;
}

/* A pasted character as it goes into the line: line breaks are '\n', control characters nothing. */
static wchar_t cleaned(wchar_t c)
{
    if (c == L'\r')
        return L'\n';
    return c == L'\n' || c == L'\t' || c >= L' ' ? c : 0;
}

/* Reads up to the mark that ends a paste: ESC [ 201 ~. Allocated; NULL: input ended, no memory. */
static wchar_t *read_paste(EditLine *editor)
{
    static const wchar_t MARK[] = L"\033[201~";
    const size_t mark = sizeof MARK / sizeof MARK[0] - 1;
    size_t n = 0, capacity = 0, matched = 0;
    wchar_t *text = NULL, c = 0, before;

    while (matched < mark) {
        if (n + mark + 2 > capacity) {
            wchar_t *larger = realloc(text, (2 * capacity + 256) * sizeof *text);

            if (larger == NULL || capacity > LONGEST_PASTE) {
                free(larger != NULL ? larger : text);
                return NULL;
            }
            text = larger;
            capacity = 2 * capacity + 256;
        }
        before = c;
        if (el_wgetc(editor, &c) != 1) {
            free(text);
            return NULL;
        }
        matched = c == MARK[matched] ? matched + 1 : c == MARK[0];
        if (matched == 0 && cleaned(c) != 0 && !(c == L'\n' && before == L'\r'))
            text[n++] = cleaned(c);
    }
    text[n] = L'\0';
    return text;
}

static unsigned char key_paste(EditLine *editor, int key)
{
    wchar_t *text = read_paste(editor);
    size_t n = text != NULL ? wcslen(text) : 0;

    (void)key;
    while (n > 0 && text[n - 1] == L'\n') /* what was copied with its last line break */
        text[--n] = L'\0';
    if (n > 0)
        (void)el_winsertstr(editor, text);
    free(text);
    return CC_REFRESH;
}

static unsigned char key_editor(EditLine *editor, int key)
{
    const LineInfo *line = el_line(editor);
    char *text = strndup(line->buffer, (size_t)(line->lastchar - line->buffer));
    char *edited = NULL;

    (void)key;
    lend_terminal(editor);
    if (text != NULL && edit_in_editor(text, &edited)) {
        (void)el_cursor(editor, (int)strlen(text)); /* to the end */
        (void)el_replacestr(editor, edited);
        (void)el_cursor(editor, (int)strlen(edited));
    }
    take_terminal(editor);
    free(text);
    free(edited);
    return CC_REDISPLAY;
}

/* How many bytes all candidates have in common. */
static size_t common_length(const json_t *list)
{
    const char *first = json_string_value(json_array_get(list, 0));
    size_t n = strlen(first);

    for (size_t i = 1; i < json_array_size(list); i++) {
        const char *other = json_string_value(json_array_get(list, i));
        size_t k = 0;

        while (k < n && other[k] == first[k])
            k++;
        n = k;
    }
    while (n > 0 && ((unsigned char)first[n] & 0xc0) == 0x80) /* not inside a character */
        n--;
    return n;
}

static void list_candidates(line_input *in, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        (void)fprintf(in->screen, "%s%s", i == 0 ? "\n" : "  ",
                      json_string_value(json_array_get(list, i)));
    (void)fputc('\n', in->screen);
}

/* Insert what the candidates agree on beyond the `typed` bytes; list them where that is nothing. */
static unsigned char complete_word(line_input *in, const json_t *list, size_t typed)
{
    const char *first = json_string_value(json_array_get(list, 0));
    size_t common = common_length(list), n = json_array_size(list);
    char *more;

    if (n > 1 && common <= typed) {
        list_candidates(in, list);
        return CC_REDISPLAY;
    }
    more = strndup(first + typed, common - typed);
    if (more == NULL)
        return CC_ERROR;
    if (more[0] != '\0')
        (void)el_insertstr(in->editor, more);
    if (n == 1 && (common == 0 || first[common - 1] != '/'))
        (void)el_insertstr(in->editor, " ");
    free(more);
    return CC_REFRESH;
}

static unsigned char key_complete(EditLine *editor, int key)
{
    line_input *in = input_of(editor);
    const LineInfo *line = el_line(editor);
    char *text = strndup(line->buffer, (size_t)(line->cursor - line->buffer));
    unsigned char action = CC_ERROR; /* a beep */
    size_t word = 0;
    json_t *list;

    (void)key;
    list = text != NULL && in->complete != NULL ? in->complete(text, &word) : NULL;
    if (json_array_size(list) > 0)
        action = complete_word(in, list, strlen(text + word));
    json_decref(list);
    free(text);
    return action;
}

typedef struct key_row {
    const wchar_t *name, *help;
    unsigned char (*run)(EditLine *editor, int key);
    const wchar_t *keys[2];
} key_row;

static const key_row KEYS[] = {
    {L"apr-interrupt", L"take the line back", key_interrupt, {L"^C"}},
    {L"apr-suspend", L"stop the program for now", key_suspend, {L"^Z"}},
    {L"apr-line-break", L"begin a new line", key_line_break, {L"\\e^M", L"\\e^J"}},
    {L"apr-paste", L"insert what the terminal pastes", key_paste, {L"\\e[200~"}},
    {L"apr-editor", L"edit the line with $EDITOR", key_editor, {L"^G"}},
    {L"apr-complete", L"complete a command or file name", key_complete, {L"^I"}},
};

void bind_keys(line_input *in)
{
    /* signals' characters are keys here; carriage returns stay, so that a pasted "\r\n" is one
     * break */
    (void)el_set(in->editor, EL_SETTY, "-d", "-isig", "-icrnl", "-inlcr", NULL);
    /* while an answer comes, keys wait for the next prompt: they are not mixed into the answer, and
     * a Ctrl-D among them is not lost in the terminal's own line editing */
    (void)el_set(in->editor, EL_SETTY, "-x", "-icanon", "-echo", "-icrnl", NULL);
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        /* wide texts: libedit keeps copies of narrow ones that it never frees */
        (void)el_wset(in->editor, EL_ADDFN, KEYS[i].name, KEYS[i].help, KEYS[i].run);
        for (size_t k = 0; k < 2 && KEYS[i].keys[k] != NULL; k++)
            (void)el_wset(in->editor, EL_BIND, KEYS[i].keys[k], KEYS[i].name, NULL);
    }
}
