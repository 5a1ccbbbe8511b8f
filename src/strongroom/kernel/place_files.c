/* Making many small files in many folders; see place_reference.py for what each part means. */

#define _GNU_SOURCE
#include "place_files.h"
#include "write_direct.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NO_REPLACE = 1, OWNER = 1, MODE = 2, FOLDER_MODE = 0700, SPECIAL_BITS = 07000 };

/* What holds for all files of one call. */
typedef struct {
    const char *temporary;
    struct timespec atime;
    uint32_t uid, gid; /* whom new files belong to by themselves */
    uint32_t masked;   /* bits that new files were seen not to get: the process has a umask */
    size_t direct_size; /* files of so many bytes are written past the cache */
    sr_direct direct;
} maker;

static int write_all(maker *by, int file, const uint8_t *data, size_t size)
{
    ptrdiff_t done = size < by->direct_size ? 0 : sr_write_direct(&by->direct, file, data, size);
    if (done < 0)
        return -1;
    data += done;
    size -= (size_t)done;
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

static int step_into(int folder, const char *name)
{
    return openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Content first, then the owner, for a change of owner clears set-user-id; then the mode; the time last of all.
 * What is seen to be right is not set; but some file systems round a time, or pass over the rest, and call it done. */
static int fill(maker *by, int handle, const sr_file *file, int unset)
{
    const struct timespec times[2] = {
        by->atime, {.tv_sec = (time_t)file->mtime_s, .tv_nsec = (long)file->mtime_ns}};
    if (write_all(by, handle, file->data, file->size))
        return errno;
    for (;; unset = OWNER | MODE) {
        struct stat seen;
        if ((unset & OWNER && fchown(handle, file->uid, file->gid)) || (unset & MODE && fchmod(handle, file->mode)) ||
            futimens(handle, times) || fstat(handle, &seen))
            return errno;
        if (seen.st_mtim.tv_sec == times[1].tv_sec && seen.st_mtim.tv_nsec == times[1].tv_nsec &&
            (seen.st_mode & 07777) == file->mode && seen.st_uid == file->uid && seen.st_gid == file->gid)
            return 0;
        if (unset == (OWNER | MODE))
            return EOPNOTSUPP;
        by->masked |= file->mode & ~seen.st_mode;
    }
}

/* Make a file. One that others can see has no mode until it is theirs; when nobody can, it has its own at once. */
static int make(maker *by, int folder, const char *name, const sr_file *file, int is_hidden)
{
    int is_ours = file->uid == by->uid && file->gid == by->gid;
    int unset = (is_ours ? 0 : OWNER) | (file->mode & (SPECIAL_BITS | by->masked) || !(is_ours || is_hidden) ? MODE : 0);
    int handle = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        unset & MODE ? 0 : file->mode);
    if (handle < 0)
        return errno;
    int outcome = fill(by, handle, file, unset);
    if (close(handle) && !outcome)
        outcome = errno;
    if (outcome)
        unlinkat(folder, name, 0);
    return outcome;
}

static int rename_new(int folder, const char *from, const char *to)
{
    return syscall(SYS_renameat2, folder, from, folder, to, NO_REPLACE) ? errno : 0;
}

static void fill_folder(maker *by, int handle, sr_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        sr_file *file = &folder->files[i];
        file->outcome = make(by, handle, by->temporary, file, 0);
        if (!file->outcome && (file->outcome = rename_new(handle, by->temporary, file->name)))
            unlinkat(handle, by->temporary, 0);
    }
}

static void all_failed(sr_folder *folder, int outcome)
{
    for (size_t i = 0; i < folder->count; i++)
        folder->files[i].outcome = outcome;
}

/* A new folder has its temporary name until all its files are there, so these can have their own from the beginning. */
static void make_folder(maker *by, int parent, sr_folder *folder)
{
    int outcome = mkdirat(parent, by->temporary, FOLDER_MODE) ? errno : 0;
    int handle = outcome ? -1 : step_into(parent, by->temporary);
    if (handle < 0) {
        if (!outcome) {
            outcome = errno;
            unlinkat(parent, by->temporary, AT_REMOVEDIR);
        }
        all_failed(folder, outcome);
        return;
    }
    for (size_t i = 0; i < folder->count; i++)
        folder->files[i].outcome = make(by, handle, folder->files[i].name, &folder->files[i], 1);
    outcome = rename_new(parent, by->temporary, folder->name);
    for (size_t i = 0; outcome && i < folder->count; i++)
        if (!folder->files[i].outcome) {
            unlinkat(handle, folder->files[i].name, 0);
            folder->files[i].outcome = outcome;
        }
    close(handle);
    if (outcome)
        unlinkat(parent, by->temporary, AT_REMOVEDIR);
}

/* Open the folder at a path, step by step and never over a symbolic link. */
static int walk_down(int target, const char *path, size_t size)
{
    int at = fcntl(target, F_DUPFD_CLOEXEC, 0);
    for (const char *name = path; at >= 0 && name < path + size; name += strlen(name) + 1) {
        int next = step_into(at, name), outcome = errno;
        close(at);
        errno = outcome;
        at = next;
    }
    return at;
}

void sr_place(int target, const char *temporary, int64_t atime_s, int64_t atime_ns, size_t direct_size,
              sr_folder *folders, size_t count)
{
    maker by = {.temporary = temporary,
                .atime = {.tv_sec = (time_t)atime_s, .tv_nsec = (long)atime_ns},
                .uid = geteuid(),
                .gid = getegid(),
                .direct_size = direct_size};
    const sr_folder *before = NULL; /* most folders lie beside the one before */
    int handle = -1;
    for (size_t i = 0; i < count; i++) {
        sr_folder *folder = &folders[i];
        if (handle < 0 || before->path_size != folder->path_size ||
            memcmp(before->path, folder->path, folder->path_size)) {
            if (handle >= 0)
                close(handle);
            handle = walk_down(target, folder->path, folder->path_size);
        }
        before = folder;
        if (handle < 0)
            all_failed(folder, errno);
        else if (folder->name)
            make_folder(&by, handle, folder);
        else
            fill_folder(&by, handle, folder);
    }
    if (handle >= 0)
        close(handle);
    sr_free_direct(&by.direct);
}
