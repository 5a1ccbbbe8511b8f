/* Two sorted arrays of msgpack are read in step; of each item only its bounds, its name and its ids are found out. */

#include "join_parts.h"

#include <stdlib.h>
#include <string.h>

#define STAT_HEAD (0x90 | 13)
#define ENTRY_HEAD (0x90 | 8)
#define FLAGGED_HEAD (0x90 | 9)
#define UNREAD_FIELDS 5
#define NUMBERS 10
#define FILE_TYPE 1
#define FOLDER_TYPE 2
#define SETTLED 0xC2
#define UNSETTLED 0xC3

struct side {
    const uint8_t *data;
    size_t size, at, left; /* `left` items are still to be read */
    int is_loaded;
};

struct item {
    size_t begin, end, stat, stat_end, name, name_size;
    size_t tree_ids, data_ids;
    uint8_t type;
};

/* ---- msgpack: https://github.com/msgpack/msgpack/blob/master/spec.md; each answers whether it could go on. */

static int pass(struct side *side, uint64_t size) {
    if (size > side->size - side->at) return 0;
    side->at += size;
    return 1;
}

static int read_number(struct side *side, size_t size, uint64_t *number) {
    *number = 0;
    if (size > side->size - side->at) return 0;
    while (size--) *number = *number << 8 | side->data[side->at++];
    return 1;
}

static int read_byte(struct side *side, uint8_t *byte) {
    if (side->at == side->size) return 0;
    *byte = side->data[side->at++];
    return 1;
}

static int is_number(uint8_t head) { return head < 0x80 || head >= 0xE0 || (head >= 0xCC && head <= 0xD3); }

/* Pass by what follows the head of a whole number. */
static int pass_number(struct side *side, uint8_t head) {
    return head < 0x80 || head >= 0xE0 || pass(side, (uint64_t)1 << (head & 3));
}

/* Pass by what follows a head; `count` is told how many values more are in it. */
static int pass_value(struct side *side, uint8_t head, uint64_t *count) {
    uint64_t number;
    if (is_number(head)) return pass_number(side, head);
    if ((head & 0xF0) == 0x90) return *count += head & 0x0F, 1;
    if ((head & 0xE0) == 0xA0) return pass(side, head & 0x1F);
    switch (head) {
    case 0xC0: case 0xC2: case 0xC3: return 1;
    case 0xC4: case 0xD9: return read_number(side, 1, &number) && pass(side, number);
    case 0xC5: case 0xDA: return read_number(side, 2, &number) && pass(side, number);
    case 0xC6: case 0xDB: return read_number(side, 4, &number) && pass(side, number);
    case 0xDC: return read_number(side, 2, &number) && (*count += number, 1);
    case 0xDD: return read_number(side, 4, &number) && (*count += number, 1);
    default: return 0;
    }
}

static int pass_values(struct side *side, uint64_t count) {
    uint8_t head;
    while (count--)
        if (!read_byte(side, &head) || !pass_value(side, head, &count)) return 0;
    return 1;
}

static int pass_numbers(struct side *side, int count) {
    uint8_t head;
    while (count--)
        if (!read_byte(side, &head) || !is_number(head) || !pass_number(side, head)) return 0;
    return 1;
}

/* ---- entries and stats */

static int begin_side(struct side *side, const uint8_t *data, size_t size) {
    uint8_t head;
    uint64_t count;
    *side = (struct side){.data = data, .size = size};
    if (!read_byte(side, &head)) return 0;
    if ((head & 0xF0) == 0x90) return side->left = head & 0x0F, 1;
    if (head != 0xDC || !read_number(side, 2, &count)) return 0;
    side->left = count;
    return 1;
}

static int read_stat(struct side *side, struct item *item) {
    uint8_t head, last;
    uint64_t size;
    item->stat = side->at;
    if (!read_byte(side, &head) || head != STAT_HEAD) return 0;
    if (!read_byte(side, &head) || (head != 0xC4 && head != 0xC5)) return 0;
    if (!read_number(side, head == 0xC4 ? 1 : 2, &size)) return 0;
    item->name = side->at, item->name_size = size;
    if (!pass(side, size) || !read_byte(side, &item->type) || item->type >= 0x80) return 0;
    if (!pass_numbers(side, NUMBERS) || !read_byte(side, &last)) return 0;
    item->stat_end = side->at;
    return last == SETTLED || last == UNSETTLED;
}

static int read_refs(struct side *side, uint64_t *refs) {
    uint8_t head;
    if (!read_byte(side, &head)) return 0;
    if (head == 0xCC || head == 0xCD) return read_number(side, head == 0xCC ? 1 : 2, refs);
    *refs = head;
    return head < 0x80;
}

/* Say how many ids an item takes by how many references it has and how deep they lie. */
static int note_taken(struct item *item, uint64_t refs, uint8_t depth) {
    item->tree_ids = item->data_ids = 0;
    if (item->type == FOLDER_TYPE) return item->tree_ids = 1, refs == 1 && !depth;
    if (item->type != FILE_TYPE) return !refs && !depth;
    *(depth ? &item->tree_ids : &item->data_ids) = refs;
    return depth < 0x80 && (refs || !depth);
}

static int read_entry(struct side *side, struct item *item) {
    uint8_t head, depth;
    uint64_t refs;
    item->begin = side->at;
    if (!read_byte(side, &head) || (head != ENTRY_HEAD && head != FLAGGED_HEAD)) return 0;
    if (!read_stat(side, item) || !pass_values(side, UNREAD_FIELDS)) return 0;
    if (!read_refs(side, &refs) || !read_byte(side, &depth)) return 0;
    if (head == FLAGGED_HEAD && !pass_numbers(side, 1)) return 0;
    item->end = side->at;
    return note_taken(item, refs, depth);
}

static int read_listed(struct side *side, struct item *item) {
    if (!read_stat(side, item)) return 0;
    item->begin = item->stat, item->end = item->stat_end;
    item->tree_ids = item->data_ids = 0;
    return 1;
}

static int by_name(const struct side *a, const struct item *x, const struct side *b, const struct item *y) {
    int order = memcmp(a->data + x->name, b->data + y->name, x->name_size < y->name_size ? x->name_size : y->name_size);
    return order ? order : (x->name_size > y->name_size) - (x->name_size < y->name_size);
}

/* See to it that the next item of a side is at hand, if there is one; its name must come after the one before. */
static int load(struct side *side, struct item *item, int (*read)(struct side *, struct item *)) {
    if (side->is_loaded) return 1;
    if (!side->left) return side->at == side->size;
    struct item before = *item;
    if (!read(side, item) || (before.end && by_name(side, &before, side, item) >= 0)) return 0;
    side->left--, side->is_loaded = 1;
    return 1;
}

static int is_same(const struct side *old, const struct item *was, const struct side *new, const struct item *now) {
    size_t size = now->stat_end - now->stat;
    return was->stat_end - was->stat == size && !memcmp(old->data + was->stat, new->data + now->stat, size) &&
           new->data[now->stat_end - 1] == SETTLED;
}

/* Add the row of one name, or make the last row longer; `was` or `now` is NULL where there is nothing. */
static void add_row(struct sr_rows *rows, const struct item *was, const struct item *now, int same) {
    struct sr_row *row = rows->count && same && rows->rows[rows->count - 1].same ? &rows->rows[rows->count - 1] : NULL;
    if (!row) {
        row = &rows->rows[rows->count++];
        *row = (struct sr_row){.tree = rows->tree, .data = rows->data};
        if (was) row->old = was->begin;
        if (now) row->new = now->begin;
    }
    row->same += (uint32_t)same;
    if (was) row->old_end = was->end, rows->tree += was->tree_ids, rows->data += was->data_ids;
    if (now) row->new_end = now->end;
    row->tree_end = rows->tree, row->data_end = rows->data;
}

int sr_join(const uint8_t *entries, size_t entries_size, const uint8_t *stats, size_t stats_size, struct sr_rows *rows) {
    struct side old, new;
    struct item was = {0}, now = {0};
    *rows = (struct sr_rows){0};
    if (!begin_side(&old, entries, entries_size) || !begin_side(&new, stats, stats_size)) return SR_UNUSUAL;
    rows->rows = malloc((old.left + new.left + 1) * sizeof *rows->rows);
    if (!rows->rows) return SR_NO_MEMORY;
    for (;;) {
        if (!load(&old, &was, read_entry) || !load(&new, &now, read_listed)) return SR_UNUSUAL;
        if (!old.is_loaded && !new.is_loaded) return 0;
        int order = !new.is_loaded ? -1 : !old.is_loaded ? 1 : by_name(&old, &was, &new, &now);
        int same = !order && is_same(&old, &was, &new, &now);
        add_row(rows, order <= 0 ? &was : NULL, order >= 0 ? &now : NULL, same);
        if (order <= 0) old.is_loaded = 0;
        if (order >= 0) new.is_loaded = 0;
    }
}
