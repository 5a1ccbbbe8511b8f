/* Making many small files in many folders; see place_reference.py for what each part means. */

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

typedef struct {
    const char *path; /* names below the target, a NUL after each */
    size_t path_size;
    const char *name; /* of a folder to be made there; NULL when the files belong into the folder at `path` */
    sr_file *files;
    size_t count;
} sr_folder;

/* Make the files of `count` folders below the target. A file, or a new folder, has the name `temporary` until it is
 * whole. Files of `direct_size` bytes or more are written past the system's cache. */
void sr_place(int target, const char *temporary, int64_t atime_s, int64_t atime_ns, size_t direct_size,
              sr_folder *folders, size_t count);

#endif
