/* Passing by records: what a tour told is held against what is known, both in the msgpack that they are kept in.
 *
 * Nothing is believed of the bytes: what is not a whole record of the right shape is simply not the same. */

#include <string.h>

#include "tour.h"

#define BEFORE 4 /* bytes with the length of a record */

/* What is left of a record; once something in it is not as it should be, nothing of it is. */
struct rest {
    const uint8_t *at, *end;
    int is_bad;
};

/* The body of the record at a place; an empty one when there is no whole record. */
static struct rest record_at(const uint8_t *records, size_t size, size_t at) {
    struct rest none = {records, records, 0};
    if (at > size || size - at < BEFORE) return none;
    const uint8_t *from = records + at;
    size_t length = from[0] | (size_t)from[1] << 8 | (size_t)from[2] << 16 | (size_t)from[3] << 24;
    if (length > size - at - BEFORE) return none;
    return (struct rest){from + BEFORE, from + BEFORE + length, 0};
}

static uint64_t take_big_endian(struct rest *from, size_t bytes) {
    uint64_t value = 0;
    if ((size_t)(from->end - from->at) < bytes) from->is_bad = 1;
    for (size_t i = 0; !from->is_bad && i < bytes; i++) value = value << 8 | *from->at++;
    return value;
}

/* Take a number that follows `first` in 1, 2, 4 or 8 bytes. */
static uint64_t take_sized(struct rest *from, uint8_t mark, uint8_t first) {
    return take_big_endian(from, (size_t)1 << (mark - first));
}

static uint64_t take_unsigned(struct rest *from) {
    uint8_t mark = (uint8_t)take_big_endian(from, 1);
    if (mark < 0x80) return mark;
    if (mark >= 0xCC && mark <= 0xCF) return take_sized(from, mark, 0xCC);
    from->is_bad = 1;
    return 0;
}

static uint64_t take_array(struct rest *from) {
    uint8_t mark = (uint8_t)take_big_endian(from, 1);
    if ((mark & 0xF0) == 0x90) return mark & 0x0F;
    if (mark == 0xDC || mark == 0xDD) return take_big_endian(from, mark == 0xDC ? 2 : 4);
    from->is_bad = 1;
    return 0;
}

static struct rest take_bytes(struct rest *from) {
    uint8_t mark = (uint8_t)take_big_endian(from, 1);
    uint64_t size = 0;
    if (mark >= 0xC4 && mark <= 0xC6)
        size = take_sized(from, mark, 0xC4);
    else
        from->is_bad = 1;
    if (size > (uint64_t)(from->end - from->at)) from->is_bad = 1, size = 0;
    from->at += size;
    return (struct rest){from->at - size, from->at, 0};
}

static int are_equal(struct rest a, struct rest b) {
    return a.end - a.at == b.end - b.at && !memcmp(a.at, b.at, (size_t)(a.end - a.at));
}

/* Take a part of so many fields, and give its fingerprint; `after` names the fields behind it: bytes or number. */
static struct rest take_fingerprint(struct rest *from, uint64_t fields, int is_tagged, const char *after) {
    if (take_array(from) != fields) from->is_bad = 1;
    if (is_tagged && take_unsigned(from) != 2) from->is_bad = 1;
    take_bytes(from);
    take_bytes(from);
    take_unsigned(from);
    struct rest fingerprint = take_bytes(from);
    for (; *after; after++)
        if (*after == 'b')
            take_bytes(from);
        else
            take_unsigned(from);
    return fingerprint;
}

/* Whether a folder that has ended is as it is known, with a tree that is known too. */
static int is_same(struct rest told, struct rest known) {
    if (take_array(&told) != 3 || take_unsigned(&told) != SR_ENDS || take_array(&known) != 3) return 0;
    if (!are_equal(take_bytes(&told), take_bytes(&known))) return 0;
    struct rest root = take_bytes(&known);
    uint64_t parts = take_array(&told);
    if (root.at == root.end || parts != take_array(&known)) return 0;
    for (; parts && !told.is_bad && !known.is_bad; parts--) {
        struct rest fresh = take_fingerprint(&told, 6, 1, "b"), old = take_fingerprint(&known, 7, 0, "bnn");
        if (fresh.at == fresh.end || !are_equal(fresh, old)) return 0;
    }
    return !told.is_bad && !known.is_bad && told.at == told.end && known.at == known.end;
}

/* Whether a record begins with these two bytes: an array's head and what the record tells of. */
static int begins_with(struct rest record, uint8_t head, uint8_t what) {
    return record.end - record.at >= 2 && record.at[0] == head && record.at[1] == what;
}

void sr_pass(const uint8_t *told, size_t told_size, const uint8_t *known, size_t known_size, struct sr_passing *at) {
    at->folders = at->begun = 0;
    for (;;) {
        struct rest fresh = record_at(told, told_size, at->told);
        if (at->begun && begins_with(fresh, 0x93, SR_ENDS)) {
            struct rest old = record_at(known, known_size, at->known);
            if (!is_same(fresh, old)) return;
            at->known = (size_t)(old.end - known);
            at->begun--, at->folders++;
        } else if (begins_with(fresh, 0x91, SR_BEGINS) && fresh.end - fresh.at == 2) {
            at->begun++;
        } else {
            return;
        }
        at->told = (size_t)(fresh.end - told);
    }
}

size_t sr_skip(const uint8_t *records, size_t size, size_t count, size_t *at) {
    size_t skipped = 0;
    for (; skipped < count; skipped++) {
        struct rest record = record_at(records, size, *at);
        if (record.at == record.end) break;
        *at = (size_t)(record.end - records);
    }
    return skipped;
}
