/* Making many small files in one folder; see place_reference.py for what each part means. */

#define _GNU_SOURCE
#include "place_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NO_REPLACE = 1 };

static int write_all(int file, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, data, size);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        data += written;
        size -= (size_t)written;
    }
    return 0;
}

/* Some file systems round a time, or pass over an owner or a mode, and call it done. */
static int kept(int handle, const sr_file *file)
{
    struct stat seen;
    if (fstat(handle, &seen))
        return errno;
    int same = seen.st_mtim.tv_sec == (time_t)file->mtime_s && seen.st_mtim.tv_nsec == (long)file->mtime_ns &&
               (seen.st_mode & 07777) == file->mode && seen.st_uid == file->uid && seen.st_gid == file->gid;
    return same ? 0 : EOPNOTSUPP;
}

/* Content first, then the owner, for a change of owner clears set-user-id; then the mode; the time last of all. */
static int fill(int handle, const sr_file *file, const struct timespec times[2])
{
    if (write_all(handle, file->data, file->size) || fchown(handle, file->uid, file->gid) ||
        fchmod(handle, file->mode) || futimens(handle, times))
        return errno;
    return kept(handle, file);
}

static int place_one(int folder, const char *temporary, const sr_file *file, const struct timespec times[2])
{
    int handle = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
    if (handle < 0)
        return errno;
    int outcome = fill(handle, file, times);
    if (close(handle) && !outcome)
        outcome = errno;
    if (!outcome && syscall(SYS_renameat2, folder, temporary, folder, file->name, NO_REPLACE))
        outcome = errno;
    if (outcome)
        unlinkat(folder, temporary, 0);
    return outcome;
}

void sr_place(int folder, const char *temporary, int64_t atime_s, int64_t atime_ns, sr_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct timespec times[2] = {
            {.tv_sec = (time_t)atime_s, .tv_nsec = (long)atime_ns},
            {.tv_sec = (time_t)files[i].mtime_s, .tv_nsec = (long)files[i].mtime_ns},
        };
        files[i].outcome = place_one(folder, temporary, &files[i], times);
    }
}
