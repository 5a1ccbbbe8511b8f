/* The names of a folder by getdents64, sorted by their raw bytes, in one piece of memory. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "look.h"

#define ANSWER_BYTES 32768 /* on the stack: memory that was just given back costs a page fault a page */
#define MOST_READS 4

/* What getdents64 answers with; see getdents(2). */
struct record {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
};

/* A name in the unsorted ones; `begins` is its first eight bytes as a number, which nearly always decides. */
struct place {
    uint64_t begins;
    uint32_t at, size;
    const char *base;
};

struct heap {
    char *bytes;
    size_t used, room;
    struct place *places;
    size_t count, places_room;
};

static int add_name(struct heap *heap, const char *name) {
    size_t size = strlen(name);
    if (size < 3 && name[0] == '.' && (size == 1 || name[1] == '.')) return 0;
    if (heap->used + size > UINT32_MAX) return EOVERFLOW;
    if (heap->used + size > heap->room) {
        size_t room = 2 * (heap->used + size) + 512;
        char *more = realloc(heap->bytes, room);
        if (!more) return ENOMEM;
        heap->bytes = more, heap->room = room;
    }
    if (heap->count == heap->places_room) {
        size_t room = 2 * heap->places_room + 64;
        struct place *more = realloc(heap->places, room * sizeof *more);
        if (!more) return ENOMEM;
        heap->places = more, heap->places_room = room;
    }
    struct place *place = &heap->places[heap->count++];
    place->begins = 0;
    for (size_t i = 0; i < 8; i++) place->begins = place->begins << 8 | (i < size ? (unsigned char)name[i] : 0);
    place->at = (uint32_t)heap->used, place->size = (uint32_t)size;
    memcpy(heap->bytes + heap->used, name, size);
    heap->used += size;
    return 0;
}

static int read_names(int handle, size_t most, struct heap *heap) {
    _Alignas(struct record) char answer[ANSWER_BYTES];
    size_t begun = heap->count;
    long got;
    int trouble = lseek(handle, 0, SEEK_SET) < 0 ? errno : 0;
    while (!trouble) {
        got = syscall(SYS_getdents64, handle, answer, ANSWER_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) trouble = errno;
        if (got <= 0) break;
        for (long at = 0; at < got && !trouble; at += ((struct record *)(answer + at))->size) {
            trouble = add_name(heap, ((struct record *)(answer + at))->name);
            if (!trouble && most && heap->count - begun > most) trouble = SR_TOO_MANY;
        }
    }
    return trouble;
}

static int is_same_time(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Read until the folder holds still: what is replaced meanwhile may be passed over, though it is there all the time.
 * A folder that never does gets what any of the reads told of. */
static int read_steady_names(int handle, size_t most, struct heap *heap) {
    struct stat then, now;
    int trouble = fstat(handle, &then) ? errno : 0;
    for (int reads = 0; !trouble && reads < MOST_READS; reads++, then = now) {
        size_t begun = heap->count;
        if ((trouble = read_names(handle, most, heap))) break;
        if (fstat(handle, &now)) return errno;
        if (!is_same_time(&now.st_mtim, &then.st_mtim) || !is_same_time(&now.st_ctim, &then.st_ctim)) continue;
        heap->count -= begun;
        if (begun) memmove(heap->places, heap->places + begun, heap->count * sizeof *heap->places);
        break;
    }
    return trouble;
}

static int before(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    if (a->begins != b->begins) return a->begins < b->begins ? -1 : 1;
    int order = memcmp(a->base + a->at, b->base + b->at, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* Whether bytes are UTF-8 as Unicode defines it: shortest forms only, no surrogates, nothing above U+10FFFF. */
static int is_utf8(const unsigned char *text, size_t size) {
    for (size_t i = 0; i < size;) {
        uint64_t eight;
        for (; i + 8 <= size; i += 8) { /* nearly all names are ASCII alone */
            memcpy(&eight, text + i, 8);
            if (eight & 0x8080808080808080) break;
        }
        if (i == size) break;
        unsigned char lead = text[i++];
        if (lead < 0x80) continue;
        int more = lead >= 0xC2 && lead <= 0xDF ? 1 : lead >= 0xE0 && lead <= 0xEF ? 2 : lead >= 0xF0 && lead <= 0xF4 ? 3 : 0;
        unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (!more || i + more > size) return 0;
        for (; more; more--, i++, low = 0x80, high = 0xBF)
            if (text[i] < low || text[i] > high) return 0;
    }
    return 1;
}

int sr_list_names(int handle, size_t most, struct sr_names *names) {
    struct heap heap = {0};
    int trouble = read_steady_names(handle, most, &heap);
    names->packed = NULL, names->size = heap.used + heap.count, names->is_text = 1;
    if (!trouble && heap.count && !(names->packed = malloc(names->size))) trouble = ENOMEM;
    if (!trouble && heap.count) {
        for (size_t i = 0; i < heap.count; i++) heap.places[i].base = heap.bytes;
        qsort(heap.places, heap.count, sizeof *heap.places, before);
        char *to = names->packed;
        for (size_t i = 0; i < heap.count; i++) {
            struct place *place = &heap.places[i];
            if (i && !before(place - 1, place)) continue; /* replaced while it was read, some systems tell of it twice */
            memcpy(to, heap.bytes + place->at, place->size);
            to[place->size] = 0;
            to += place->size + 1;
        }
        names->size = (size_t)(to - names->packed);
        names->is_text = is_utf8((unsigned char *)names->packed, names->size);
    }
    free(heap.bytes);
    free(heap.places);
    return trouble;
}
