/* What statx says of many names, encoded as the listing keeps it: a msgpack array of stats for each folder part.
 *
 * The parts end where the leaves of the tree will: by the crc32 of a name (IEEE 802.3, table-driven as in Sarwate,
 * CACM 1988), so that nothing needs to be cut again. */

#define _GNU_SOURCE
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "msgpack.h"

#define MOST_IN_PART 1024
#define SECOND_NS 1000000000
#define SETTLE_NS 20000000
#define WHOLE_SECONDS_SETTLE_NS 2000000000
#define LARGEST_STAT 128 /* encoded, without the name */

/* The types of entries as format v1 numbers them, by the upper four bits of a mode. */
enum { FILE_TYPE = 1, FOLDER_TYPE = 2, CHAR_TYPE = 5, BLOCK_TYPE = 6 };
static const uint8_t TYPES[16] = {[S_IFREG >> 12] = FILE_TYPE, [S_IFDIR >> 12] = FOLDER_TYPE, [S_IFLNK >> 12] = 3,
                                  [S_IFIFO >> 12] = 4,         [S_IFCHR >> 12] = CHAR_TYPE,   [S_IFBLK >> 12] = BLOCK_TYPE,
                                  [S_IFSOCK >> 12] = 7};
static uint32_t crc_table[256];

__attribute__((constructor)) static void make_crc_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t rest = i;
        for (int bit = 0; bit < 8; bit++) rest = rest & 1 ? 0xEDB88320 ^ rest >> 1 : rest >> 1;
        crc_table[i] = rest;
    }
}

static int ends_part(const char *name, size_t size) {
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < size; i++) crc = crc_table[(crc ^ (uint8_t)name[i]) & 0xFF] ^ crc >> 8;
    return (~crc & 0xFF) == 0;
}

/* ---- one stat */

/* A time is stored as the nearest of the years 1677 to 2554. */
static uint8_t *put_time(uint8_t *to, __int128 time_ns) {
    if (time_ns < INT64_MIN) time_ns = INT64_MIN;
    if (time_ns > (__int128)UINT64_MAX) time_ns = UINT64_MAX;
    return time_ns < 0 ? put_negative(to, (int64_t)time_ns) : put_unsigned(to, (uint64_t)time_ns);
}

static __int128 time_ns(const struct statx_timestamp *time) { return (__int128)time->tv_sec * SECOND_NS + time->tv_nsec; }

/* Whether a later change could leave the very same times. */
static int is_unsettled(const struct statx *raw, int64_t now_ns) {
    int64_t margin = raw->stx_ctime.tv_nsec ? SETTLE_NS : WHOLE_SECONDS_SETTLE_NS;
    __int128 modified = time_ns(&raw->stx_mtime), young = (__int128)now_ns - margin;
    return time_ns(&raw->stx_ctime) > young || (young < modified && modified <= (__int128)now_ns + margin);
}

static uint8_t *put_stat(uint8_t *to, const char *name, size_t size, const struct statx *raw, uint64_t device,
                         int unsettled) {
    uint8_t type = TYPES[raw->stx_mode >> 12];
    int is_device = type == CHAR_TYPE || type == BLOCK_TYPE;
    uint64_t names = type == FOLDER_TYPE ? 1 : raw->stx_nlink;
    *to++ = 0x90 | 13; /* the number of a stat's fields */
    to = put_bytes(to, name, size);
    to = put_unsigned(to, type);
    to = put_unsigned(to, raw->stx_mode & 07777);
    to = put_unsigned(to, raw->stx_uid);
    to = put_unsigned(to, raw->stx_gid);
    to = put_unsigned(to, type == FILE_TYPE ? raw->stx_size : 0);
    to = put_time(to, time_ns(&raw->stx_mtime));
    to = put_time(to, time_ns(&raw->stx_ctime));
    to = put_unsigned(to, raw->stx_ino);
    to = put_unsigned(to, names);
    to = put_unsigned(to, names > 1 ? (device ? device : makedev(raw->stx_dev_major, raw->stx_dev_minor)) : 0);
    to = put_unsigned(to, is_device ? makedev(raw->stx_rdev_major, raw->stx_rdev_minor) : 0);
    *to++ = unsettled ? 0xC3 : 0xC2;
    return to;
}

/* ---- many */

static int make_room(struct sr_look *look, size_t name_size) {
    size_t wanted = look->used + name_size + LARGEST_STAT;
    if (wanted <= look->room) return 0;
    uint8_t *more = realloc(look->encoded, 2 * wanted);
    if (!more) return ENOMEM;
    look->encoded = more, look->room = 2 * wanted;
    return 0;
}

static void count(struct sr_look *look, const struct sr_question *question, uint64_t size) {
    size_t class = 0;
    while (class < question->limit_count && question->limits[class] < size) class++;
    look->histogram[class]++;
    look->files++;
    look->bytes_low += size;
    look->bytes_high += look->bytes_low < size;
}

static void note(struct sr_look *look, size_t at, size_t size, int what) {
    look->seen[look->seen_count++] = (struct sr_seen){at, size, what};
}

/* Add what was found under a name to the part. */
static int add(struct sr_look *look, const struct sr_question *question, struct sr_part *part, size_t at, size_t size,
               const struct statx *raw) {
    if (make_room(look, size)) return ENOMEM;
    int unsettled = is_unsettled(raw, question->now_ns);
    uint8_t *end = put_stat(look->encoded + look->used, question->names + at, size, raw, question->device, unsettled);
    look->used = (size_t)(end - look->encoded);
    if (!part->entries++) part->first = at, part->first_size = size;
    part->last = at, part->last_size = size;
    part->is_settled &= !unsettled;
    if (TYPES[raw->stx_mode >> 12] == FOLDER_TYPE) return 0;
    part->files++;
    count(look, question, TYPES[raw->stx_mode >> 12] == FILE_TYPE ? raw->stx_size : 0);
    return 0;
}

/* Begin a part; the head of its array is written at its end, right before the first stat. */
static int begin_part(struct sr_look *look, struct sr_part *part) {
    *part = (struct sr_part){.is_settled = 1};
    if (make_room(look, 3)) return ENOMEM;
    look->used += 3;
    part->begin = look->used;
    return 0;
}

static void end_part(struct sr_look *look, struct sr_part *part) {
    if (!part->entries) return;
    part->begin -= part->entries < 16 ? 1 : 3;
    put_array(look->encoded + part->begin, part->entries);
    part->end = look->used;
    look->parts[look->part_count++] = *part;
}

static int same_device(const struct statx *a, const struct statx *b) {
    return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor;
}

static int ask(int handle, const char *name, int flags, struct statx *raw) {
    while (statx(handle, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | flags, STATX_BASIC_STATS, raw))
        if (errno != EINTR) return errno;
    return TYPES[raw->stx_mode >> 12] ? 0 : ENOTSUP;
}

static int look_at_names(const struct sr_question *question, struct sr_look *look) {
    struct statx folder, raw;
    int trouble = ask(question->handle, "", AT_EMPTY_PATH, &folder);
    struct sr_part part;
    size_t in_part = 0, done = 0;
    while (!trouble && look->next < question->size && (in_part || done < question->most)) {
        size_t at = look->next, size = strlen(question->names + at);
        if (!in_part && begin_part(look, &part)) return ENOMEM;
        int failed = ask(question->handle, question->names + at, 0, &raw);
        if (failed)
            note(look, at, size, failed);
        else if (add(look, question, &part, at, size, &raw))
            return ENOMEM;
        else if (S_ISDIR(raw.stx_mode))
            note(look, at, size, same_device(&raw, &folder) ? SR_FOLDER : SR_CROSSING);
        else if (!same_device(&raw, &folder))
            note(look, at, size, SR_FOREIGN);
        look->next = at + size + 1, in_part++, done++;
        if (in_part == MOST_IN_PART || look->next == question->size || ends_part(question->names + at, size))
            end_part(look, &part), in_part = 0;
    }
    return trouble;
}

/* Tell how many names may be looked at, so that parts and seen names need no room of their own later. */
static size_t names_ahead(const struct sr_question *question) {
    size_t count = 0, at = question->start;
    while (at < question->size && (count < question->most || count - question->most < MOST_IN_PART))
        at += strlen(question->names + at) + 1, count++;
    return count;
}

int sr_look(const struct sr_question *question, struct sr_look *look) {
    memset(look, 0, sizeof *look);
    look->next = question->start;
    size_t names = names_ahead(question);
    if (!names) return 0;
    look->parts = malloc(names * sizeof *look->parts);
    look->seen = malloc(names * sizeof *look->seen);
    if (!look->parts || !look->seen) return ENOMEM;
    return look_at_names(question, look);
}
