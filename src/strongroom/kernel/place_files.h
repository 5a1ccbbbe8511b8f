/* Making many small files in one folder; see place_reference.py for what each part means. */

#ifndef STRONGROOM_PLACE_FILES_H
#define STRONGROOM_PLACE_FILES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name;
    const uint8_t *data;
    size_t size;
    uint32_t mode, uid, gid;
    int64_t mtime_s;
    int64_t mtime_ns;
    int outcome; /* 0, or the errno of what failed; the file is not there then */
} sr_file;

/* Make `count` files in the folder, each under the name `temporary` until it is whole. */
void sr_place(int folder, const char *temporary, int64_t atime_s, int64_t atime_ns, sr_file *files, size_t count);

#endif
