/* SPDX-License-Identifier: MIT */
/* JSON documents as files of a folder in the making. */
#include "write.h"

#include <stdio.h>

trueno_status apr_write_document(const apr_model *m, apr_json *j, const char *folder,
                                 const char *name, trueno_error *err)
{
    char path[4096];
    apr_output out;
    size_t bytes;
    char *text;
    trueno_status status = apr_json_finish(j, m->path, &text, &bytes, err);

    if (status < 0)
        return status;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if ((status = apr_output_open(&out, path, false, err)) == TRUENO_OK &&
        (status = apr_output_write(&out, text, bytes, err)) == TRUENO_OK &&
        (status = apr_output_finish(&out, err)) == TRUENO_OK)
        status = apr_output_commit(&out, err);
    apr_output_abandon(&out);
    trueno_release(m->options.allocator, text, bytes + 1);
    return status;
}
