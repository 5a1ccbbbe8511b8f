/* Folders and all beneath them, looked into one after the other and told of in records.
 *
 * A record is made as soon as its folder was looked into, but stands after those of the folders in it. So records are
 * put in order at the end, when the fingerprints of all parts have been computed side by side, too. */

#define _GNU_SOURCE
#include "tour.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "blake3.h"
#include "msgpack.h"

#define FINGERPRINT_BYTES 16
#define UNUSUAL -1
#define MOST_AROUND 64 /* bytes of a record or of a part in it beside names and stats */

struct heap {
    uint8_t *at;
    size_t used, room;
};

struct piece {
    size_t at, size;
};

/* Stats to be hashed, and the place of their fingerprint. */
struct hashed {
    size_t stats, size, to;
};

struct work {
    const struct sr_tour_question *asked;
    struct sr_tour *tour;
    uint64_t entries;
    dev_t device;
    struct heap path, records;
    struct heap order;  /* pieces of the records */
    struct heap hashes; /* what is to be hashed in them */
};

struct folder {
    int handle;
    struct sr_names names;
    struct sr_look look;
};

/* Make room for some bytes more; NULL when there is none. */
static uint8_t *room_for(struct heap *heap, size_t size) {
    if (heap->used + size > heap->room) {
        size_t room = 2 * (heap->used + size);
        uint8_t *more = realloc(heap->at, room);
        if (!more) return NULL;
        heap->at = more, heap->room = room;
    }
    return heap->at + heap->used;
}

static int append(struct heap *heap, const void *bytes, size_t size) {
    uint8_t *to = size ? room_for(heap, size) : NULL;
    if (!size) return 0;
    if (!to) return ENOMEM;
    memcpy(to, bytes, size);
    heap->used += size;
    return 0;
}

/* ---- records */

static void end_record(struct heap *records, size_t begin, uint8_t *end) {
    size_t size = (size_t)(end - records->at) - begin - 4;
    for (int i = 0; i < 4; i++) records->at[begin + i] = (uint8_t)(size >> (8 * i));
    records->used = (size_t)(end - records->at);
}

/* Tell of something at the path, and of some bytes more, if there are any. */
static int tell(struct work *work, int what, const void *more, size_t more_size) {
    struct heap *records = &work->records;
    struct piece piece = {.at = records->used};
    uint8_t *to = room_for(records, work->path.used + more_size + MOST_AROUND);
    if (!to) return ENOMEM;
    to = put_array(to + 4, what == SR_BEGINS ? 1 : more ? 3 : 2);
    to = put_unsigned(to, (uint64_t)what);
    if (what != SR_BEGINS) to = put_bytes(to, work->path.at, work->path.used);
    if (more) to = put_bytes(to, more, more_size);
    end_record(records, piece.at, to);
    piece.size = records->used - piece.at;
    return append(&work->order, &piece, sizeof piece);
}

static int put_part(struct work *work, const struct folder *folder, const struct sr_part *part) {
    struct heap *records = &work->records;
    size_t size = part->end - part->begin, fingerprint = part->is_settled ? FINGERPRINT_BYTES : 0;
    uint8_t *to = room_for(records, part->first_size + part->last_size + size + MOST_AROUND);
    if (!to) return ENOMEM;
    to = put_array(to, 6);
    to = put_unsigned(to, 2);
    to = put_bytes(to, folder->names.packed + part->first, part->first_size);
    to = put_bytes(to, folder->names.packed + part->last, part->last_size);
    to = put_unsigned(to, part->files);
    to = put_bytes(to, (uint8_t[FINGERPRINT_BYTES]){0}, fingerprint);
    size_t place = (size_t)(to - records->at) - FINGERPRINT_BYTES;
    to = put_bytes(to, folder->look.encoded + part->begin, size);
    records->used = (size_t)(to - records->at);
    struct hashed hashed = {records->used - size, size, place};
    return fingerprint ? append(&work->hashes, &hashed, sizeof hashed) : 0;
}

/* Make the record of a folder's end, and keep its place until it does. */
static int make_end(struct work *work, const struct folder *folder, struct piece *piece) {
    struct heap *records = &work->records;
    piece->at = records->used;
    uint8_t *to = room_for(records, work->path.used + MOST_AROUND);
    if (!to) return ENOMEM;
    to = put_unsigned(put_array(to + 4, 3), SR_ENDS);
    to = put_bytes(to, work->path.at, work->path.used);
    to = put_array(to, folder->look.part_count);
    records->used = (size_t)(to - records->at);
    for (size_t i = 0; i < folder->look.part_count; i++)
        if (put_part(work, folder, &folder->look.parts[i])) return ENOMEM;
    end_record(records, piece->at, records->at + records->used);
    piece->size = records->used - piece->at;
    return 0;
}

/* ---- folders */

/* Open without touching the access time if that is permitted. */
static int open_quietly(int above, const char *name) {
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int handle = openat(above, name, flags | O_NOATIME);
    return handle < 0 && errno == EPERM ? openat(above, name, flags) : handle;
}

static int is_marked(const struct sr_mark *mark, const char *name, size_t size) {
    if (size < mark->begin_size + mark->end_size || memcmp(name, mark->begin, mark->begin_size)) return 0;
    if (!mark->end) return size == mark->begin_size;
    return !memcmp(name + size - mark->end_size, mark->end, mark->end_size);
}

static int any_marked(const struct sr_tour_question *asked, const struct sr_names *names) {
    for (size_t at = 0; asked->mark_count && at < names->size;) {
        size_t size = strlen(names->packed + at);
        for (size_t i = 0; i < asked->mark_count; i++)
            if (is_marked(&asked->marks[i], names->packed + at, size)) return 1;
        at += size + 1;
    }
    return 0;
}

/* Look into the folder of that name; 0 when it is open and nothing about it is unusual. */
static int look_into(struct work *work, int above, const char *name, struct folder *folder) {
    const struct sr_tour_question *asked = work->asked;
    struct stat raw;
    if (work->path.used > asked->longest_path) return UNUSUAL;
    folder->handle = open_quietly(above, name);
    if (folder->handle < 0 || fstat(folder->handle, &raw) || raw.st_dev != work->device) return UNUSUAL;
    int trouble = sr_list_names(folder->handle, asked->most_names, &folder->names);
    if (trouble) return trouble == ENOMEM ? ENOMEM : UNUSUAL;
    if (!(folder->names.is_text || asked->any_names) || any_marked(asked, &folder->names)) return UNUSUAL;
    struct sr_question question = {folder->handle, folder->names.packed, folder->names.size, 0, SIZE_MAX, asked->now_ns,
                                   asked->device, asked->limits, asked->limit_count};
    trouble = sr_look(&question, &folder->look);
    if (trouble) return trouble == ENOMEM ? ENOMEM : UNUSUAL;
    for (size_t i = 0; i < folder->look.seen_count; i++)
        if (folder->look.seen[i].what != SR_FOLDER) return UNUSUAL;
    return 0;
}

static void count(struct work *work, const struct sr_look *look) {
    struct sr_tour *tour = work->tour;
    for (size_t i = 0; i < look->part_count; i++) work->entries += look->parts[i].entries;
    tour->folders++;
    tour->files += look->files;
    tour->bytes_low += look->bytes_low;
    tour->bytes_high += look->bytes_high + (tour->bytes_low < look->bytes_low);
    for (size_t i = 0; i <= work->asked->limit_count; i++) tour->histogram[i] += look->histogram[i];
}

static int is_enough(const struct work *work) {
    struct timespec now;
    if (!work->tour->folders) return 0;
    if (work->entries >= work->asked->most) return 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec >= work->asked->until_ns;
}

static int visit(struct work *work, int above, const char *name, size_t levels);

/* Visit the folders in a folder; tell of those that are too many. */
static int go_in(struct work *work, const struct folder *folder, size_t levels) {
    int trouble = 0;
    for (size_t i = 0; i < folder->look.seen_count && !trouble; i++) {
        if (levels && !is_enough(work)) {
            trouble = visit(work, folder->handle, folder->names.packed + folder->look.seen[i].at, levels - 1);
            continue;
        }
        struct heap rest = {0};
        for (; i < folder->look.seen_count && !trouble; i++)
            trouble = append(&rest, folder->names.packed + folder->look.seen[i].at, folder->look.seen[i].size + 1);
        if (!trouble) trouble = tell(work, SR_REST, rest.at, rest.used);
        free(rest.at);
    }
    return trouble;
}

/* Look into a folder and all beneath it. */
static int visit(struct work *work, int above, const char *name, size_t levels) {
    struct folder folder = {.handle = -1};
    struct piece end;
    size_t path_size = work->path.used;
    int trouble = path_size ? append(&work->path, "/", 1) : 0;
    if (!trouble) trouble = append(&work->path, name, strlen(name));
    if (!trouble) trouble = look_into(work, above, name, &folder);
    if (trouble == UNUSUAL) {
        trouble = tell(work, SR_LEFT, NULL, 0);
    } else if (!trouble) {
        count(work, &folder.look);
        trouble = tell(work, SR_BEGINS, NULL, 0);
        if (!trouble) trouble = make_end(work, &folder, &end);
        if (!trouble) trouble = go_in(work, &folder, levels);
        if (!trouble) trouble = append(&work->order, &end, sizeof end);
    }
    work->path.used = path_size;
    if (folder.handle >= 0) close(folder.handle);
    free(folder.names.packed);
    free(folder.look.encoded);
    free(folder.look.parts);
    free(folder.look.seen);
    return trouble;
}

static int visit_all(struct work *work) {
    const struct sr_tour_question *asked = work->asked;
    int trouble = append(&work->path, asked->path, asked->path_size);
    for (size_t at = 0; at < asked->names_size && !trouble; at += strlen(asked->names + at) + 1) {
        if (is_enough(work)) return tell(work, SR_REST, asked->names + at, asked->names_size - at);
        trouble = visit(work, asked->handle, asked->names + at, asked->levels);
    }
    return trouble;
}

/* ---- the end */

static int put_fingerprints(struct work *work) {
    const struct hashed *hashes = (const struct hashed *)work->hashes.at;
    size_t count = work->hashes.used / sizeof *hashes;
    const uint8_t **inputs = malloc(count * sizeof *inputs + 1);
    uint32_t *sizes = malloc(count * sizeof *sizes + 1);
    uint8_t *digests = malloc(count * SR_DIGEST_BYTES + 1);
    int enough = inputs && sizes && digests;
    for (size_t i = 0; enough && i < count; i++)
        inputs[i] = work->records.at + hashes[i].stats, sizes[i] = (uint32_t)hashes[i].size;
    if (enough && count) enough = !sr_digests_apart(NULL, inputs, sizes, count, digests);
    for (size_t i = 0; enough && i < count; i++)
        memcpy(work->records.at + hashes[i].to, digests + SR_DIGEST_BYTES * i, FINGERPRINT_BYTES);
    free(inputs);
    free(sizes);
    free(digests);
    return enough ? 0 : ENOMEM;
}

static int put_in_order(struct work *work) {
    const struct piece *order = (const struct piece *)work->order.at;
    size_t count = work->order.used / sizeof *order, size = 0;
    for (size_t i = 0; i < count; i++) size += order[i].size;
    uint8_t *to = work->tour->told = malloc(size + 1);
    if (!to) return ENOMEM;
    for (size_t i = 0; i < count; to += order[i++].size) memcpy(to, work->records.at + order[i].at, order[i].size);
    work->tour->size = size;
    return 0;
}

int sr_tour(const struct sr_tour_question *question, struct sr_tour *tour) {
    struct work work = {.asked = question, .tour = tour};
    struct stat raw;
    memset(tour, 0, sizeof *tour);
    if (fstat(question->handle, &raw)) return errno;
    work.device = raw.st_dev;
    int trouble = visit_all(&work);
    if (!trouble) trouble = put_fingerprints(&work);
    if (!trouble) trouble = put_in_order(&work);
    free(work.path.at);
    free(work.records.at);
    free(work.order.at);
    free(work.hashes.at);
    return trouble;
}
