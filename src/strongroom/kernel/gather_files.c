/* One file costs seven short system calls and nothing else. Whatever is unusual is left to the caller, who asks the
 * system again, one file at a time, and learns from its answer what is the matter. */

#define _GNU_SOURCE
#include "gather_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPENED (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define SECOND 1000000000LL
#define LATEST_S (1LL << 33) /* times beyond, and before 1970, are for the caller */
#define BLOCK 512
#define STAT_HEAD (0x90 | 13)
#define FILE_TYPE 1
#define SETTLED 0xC2
#define UNSETTLED 0xC3

/* The numbers of a stat, as they stand in it between its name and its last field. */
enum { TYPE, MODE, UID, GID, SIZE, MODIFIED, CHANGED, INODE, NAMES, DEVICE, NODE, NUMBERS };

struct expected {
    const uint8_t *name;
    uint64_t name_size, numbers[NUMBERS];
    int is_usual; /* no number is negative, and the times can be believed */
};

/* ---- msgpack: https://github.com/msgpack/msgpack/blob/master/spec.md; each answers whether it could go on. */

static int read_big_endian(struct sr_gathering *what, size_t size, uint64_t *number) {
    *number = 0;
    if (size > what->size - what->at) return 0;
    while (size--) *number = *number << 8 | what->stats[what->at++];
    return 1;
}

static int read_number(struct sr_gathering *what, struct expected *file, uint64_t *number) {
    if (!read_big_endian(what, 1, number)) return 0;
    if (*number < 0x80) return 1;
    if (*number >= 0xCC && *number <= 0xCF) return read_big_endian(what, (size_t)1 << (*number & 3), number);
    file->is_usual = 0;
    return *number >= 0xE0 || (*number >= 0xD0 && *number <= 0xD3 && read_big_endian(what, (size_t)1 << (*number & 3), number));
}

static int read_stat(struct sr_gathering *what, struct expected *file) {
    uint64_t head, last;
    file->is_usual = 1;
    if (!read_big_endian(what, 1, &head) || head != STAT_HEAD) return 0;
    if (!read_big_endian(what, 1, &head) || (head != 0xC4 && head != 0xC5)) return 0;
    if (!read_big_endian(what, head == 0xC4 ? 1 : 2, &file->name_size)) return 0;
    if (file->name_size > what->size - what->at) return 0;
    file->name = what->stats + what->at;
    what->at += file->name_size;
    for (int i = 0; i < NUMBERS; i++)
        if (!read_number(what, file, &file->numbers[i])) return 0;
    if (!read_big_endian(what, 1, &last) || (last != SETTLED && last != UNSETTLED)) return 0;
    file->is_usual &= last == SETTLED;
    return 1;
}

/* Pass by the head of the array, which says nothing that its end does not say. */
static int pass_head(struct sr_gathering *what) {
    uint64_t head, count;
    if (!read_big_endian(what, 1, &head)) return 0;
    return (head & 0xF0) == 0x90 || (head == 0xDC && read_big_endian(what, 2, &count));
}

/* ---- one file */

static int is_avoided(const struct sr_gathering *what, uint64_t inode) {
    size_t low = 0, high = what->avoided_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (what->avoided[middle] < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return low < what->avoided_count && what->avoided[low] == inode;
}

/* Whether a file may be opened here at all; `name` is filled with its name if so. */
static int is_wanted(const struct sr_gathering *what, const struct expected *file, char name[NAME_MAX + 1]) {
    const uint64_t *numbers = file->numbers;
    if (!file->is_usual || numbers[TYPE] != FILE_TYPE || numbers[NAMES] != 1 || numbers[SIZE] > what->limit) return 0;
    if (!file->name_size || file->name_size > NAME_MAX || is_avoided(what, numbers[INODE])) return 0;
    if (memchr(file->name, 0, file->name_size) || memchr(file->name, '/', file->name_size)) return 0;
    memcpy(name, file->name, file->name_size);
    name[file->name_size] = 0;
    return 1;
}

/* Open without touching the access time where that is permitted. */
static int open_file(int folder, const char *name) {
    int handle = openat(folder, name, OPENED | O_NOATIME);
    return handle < 0 && errno == EPERM ? openat(folder, name, OPENED) : handle;
}

static int is_usual(const struct stat *seen, int handle) {
    if (!S_ISREG(seen->st_mode) || seen->st_nlink != 1) return 0;
    if (seen->st_mtim.tv_sec < 0 || seen->st_mtim.tv_sec >= LATEST_S) return 0;
    if (seen->st_ctim.tv_sec < 0 || seen->st_ctim.tv_sec >= LATEST_S) return 0;
    /* Fewer blocks than bytes: holes, or a file system that packs; then the first hole is asked for. */
    return seen->st_blocks * BLOCK >= seen->st_size || lseek(handle, 0, SEEK_HOLE) >= seen->st_size;
}

static int has_no_xattrs(int handle) {
    ssize_t size = flistxattr(handle, NULL, 0);
    return size == 0 || (size < 0 && (errno == EOPNOTSUPP || errno == EPERM || errno == EACCES || errno == ENODATA));
}

/* Learn the inode flags; a file system without them has none. */
static int read_flags(int handle, uint32_t *flags) {
    uint32_t words[2] = {0}; /* the call answers with an int, but is declared with a long, which FUSE once wrote */
    if (ioctl(handle, FS_IOC_GETFLAGS, words) == 0) {
        *flags = words[0];
        return 1;
    }
    *flags = 0;
    return errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS || errno == EBADF;
}

static int read_all(int handle, uint8_t *buffer, size_t size) {
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = pread(handle, buffer + filled, size - filled, (off_t)filled);
        if (got <= 0) return 0;
        filled += (size_t)got;
    }
    return 1;
}

static int is_same(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int held_still(int handle, const struct stat *then) {
    struct stat now;
    return fstat(handle, &now) == 0 && now.st_size == then->st_size && is_same(&now.st_mtim, &then->st_mtim) &&
           is_same(&now.st_ctim, &then->st_ctim);
}

static uint64_t time_ns(const struct timespec *time) { return (uint64_t)(time->tv_sec * SECOND + time->tv_nsec); }

static int is_expected(const struct stat *seen, const uint64_t *numbers) {
    return (seen->st_mode & 07777) == numbers[MODE] && seen->st_uid == numbers[UID] && seen->st_gid == numbers[GID] &&
           (uint64_t)seen->st_size == numbers[SIZE] && time_ns(&seen->st_mtim) == numbers[MODIFIED] &&
           time_ns(&seen->st_ctim) == numbers[CHANGED] && seen->st_ino == numbers[INODE];
}

/* Read one opened file. */
static int gather_file(int handle, const uint64_t *numbers, uint32_t kept, uint8_t *buffer, struct sr_gathered *row) {
    struct stat seen;
    if (fstat(handle, &seen) || !is_usual(&seen, handle) || !is_expected(&seen, numbers)) return 0;
    if (!has_no_xattrs(handle) || !read_flags(handle, &row->flags)) return 0;
    if (!read_all(handle, buffer, (size_t)seen.st_size) || !held_still(handle, &seen)) return 0;
    row->flags &= kept;
    row->uid = seen.st_uid;
    row->gid = seen.st_gid;
    row->size = (uint64_t)seen.st_size;
    row->inode = seen.st_ino;
    return 1;
}

int sr_gather(struct sr_gathering *what, uint8_t *buffer, size_t room, struct sr_gathered *rows, size_t *count) {
    struct expected file;
    char name[NAME_MAX + 1];
    if (!what->at && !pass_head(what)) return -1;
    for (*count = 0; what->at < what->size && *count < what->most; ++*count) {
        struct sr_gathered *row = &rows[*count];
        row->begin = what->at;
        if (!read_stat(what, &file)) return -1;
        row->end = what->at;
        row->plain = is_wanted(what, &file, name);
        if (!row->plain) continue;
        if (file.numbers[SIZE] > room) {
            what->at = row->begin;
            return 0;
        }
        int handle = open_file(what->folder, name);
        row->plain = handle >= 0 && gather_file(handle, file.numbers, what->kept, buffer, row);
        if (handle >= 0) close(handle);
        if (!row->plain) continue;
        buffer += row->size;
        room -= row->size;
    }
    return 0;
}
