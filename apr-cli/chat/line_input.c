/* SPDX-License-Identifier: MIT */
/* Reading lines: through libedit at a terminal, plainly from a pipe. */
#include "editing.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* xterm's bracketed paste: the terminal marks what is pasted, so that line breaks in it are text.
 */
#define PASTE_MARKS_ON  "\033[?2004h"
#define PASTE_MARKS_OFF "\033[?2004l"

static char *show_prompt(EditLine *editor)
{
    line_input *in;

    (void)el_get(editor, EL_CLIENTDATA, &in);
    return (char *)(uintptr_t)in->prompt;
}

/* Characters are UTF-8 for us; a locale that says otherwise (C, most often) is set right. */
static void use_utf8(void)
{
    (void)setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

static trueno_status open_editor(line_input *in, trueno_error *err)
{
    use_utf8();
    terminal_remember();
    in->editor = el_init("apr", stdin, in->screen, in->screen);
    if (in->editor == NULL)
        return trueno_fail(err, TRUENO_IO, "the terminal cannot be used for editing: %s",
                           strerror(errno));
    (void)el_set(in->editor, EL_CLIENTDATA, in);
    (void)el_set(in->editor, EL_PROMPT, show_prompt);
    (void)el_set(in->editor, EL_EDITOR, "emacs");
    (void)el_set(in->editor, EL_SIGNAL, 1); /* window size, suspend and continue */
    history_open(in);
    (void)el_source(in->editor, NULL); /* the user's .editrc */
    bind_keys(in);
    return TRUENO_OK;
}

trueno_status line_input_open(line_input **out, line_completer *complete, trueno_error *err)
{
    line_input *in = calloc(1, sizeof *in);
    trueno_status status = TRUENO_OK;

    *out = NULL;
    if (in == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the input");
    in->complete = complete;
    in->screen = isatty(STDERR_FILENO) ? stderr : isatty(STDOUT_FILENO) ? stdout : NULL;
    if (isatty(STDIN_FILENO) && in->screen != NULL)
        status = open_editor(in, err);
    if (status < 0) {
        line_input_close(in);
        return status;
    }
    *out = in;
    return TRUENO_OK;
}

void line_input_close(line_input *in)
{
    if (in == NULL)
        return;
    if (in->editor != NULL) {
        history_close(in);
        el_end(in->editor);
        terminal_restore();
    }
    free(in->buffer);
    free(in);
}

bool line_input_edits(const line_input *in)
{
    return in->editor != NULL;
}

static int take(text_buffer *line, const char *bytes, size_t n, trueno_error *err)
{
    trueno_status status;

    if (n > 0 && bytes[n - 1] == '\n')
        n--;
    if (n > 0 && bytes[n - 1] == '\r')
        n--;
    line->bytes = 0;
    status = text_append(line, bytes, n, err);
    return status < 0 ? (int)status : LINE_READ;
}

static int read_edited(line_input *in, const char *prompt, text_buffer *line, trueno_error *err)
{
    const char *text;
    int n = 0;

    in->prompt = prompt;
    in->interrupted = in->ends = false;
    /* before the prompt, not after it as libedit does: a Ctrl-C between the two would be a signal,
     * which throws away what was typed, where the prompt promises a key */
    (void)el_set(in->editor, EL_PREP_TERM, 1);
    (void)fputs(PASTE_MARKS_ON, in->screen);
    (void)fflush(in->screen);
    text = el_gets(in->editor, &n);
    (void)fputs(PASTE_MARKS_OFF, in->screen);
    if (text == NULL || n <= 0 || in->interrupted)
        (void)fputc('\n', in->screen);
    (void)fflush(in->screen);
    if (in->ends)
        return trueno_fail(err, TRUENO_CANCELLED, "interrupted");
    if (in->interrupted)
        return LINE_INTERRUPTED;
    return text == NULL || n <= 0 ? LINE_END : take(line, text, (size_t)n, err);
}

static int read_piped(line_input *in, text_buffer *line, trueno_error *err)
{
    int before = interrupt_count();
    ssize_t n = getline(&in->buffer, &in->capacity, stdin);

    if (n < 0 && interrupt_count() != before)
        return trueno_fail(err, TRUENO_CANCELLED, "interrupted");
    if (n < 0 && ferror(stdin))
        return trueno_fail(err, TRUENO_IO, "standard input: %s", strerror(errno));
    return n < 0 ? LINE_END : take(line, in->buffer, (size_t)n, err);
}

int line_input_read(line_input *in, const char *prompt, text_buffer *line, trueno_error *err)
{
    return in->editor != NULL ? read_edited(in, prompt, line, err) : read_piped(in, line, err);
}

void line_input_remember(line_input *in, const char *text)
{
    if (in->editor != NULL)
        history_add(in, text);
}
