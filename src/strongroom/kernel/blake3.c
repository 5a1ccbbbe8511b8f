/* BLAKE3 of many inputs at once, after the published description (O'Connor, Aumasson, Neves, Wilcox-O'Hearn:
 * "BLAKE3: one function, fast everywhere", 2020).
 *
 * The hash of an input is a tree over pieces of 1 KiB. One small file has too few of them to fill a processor's wide
 * registers, and a call for each file costs as much as hashing it. So pieces of all inputs are hashed side by side,
 * those of equal length together, and then level by level what joins them. */

#include "blake3.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 64
#define PIECE 1024
#define PIECE_BLOCKS (PIECE / BLOCK)
#define MOST_LANES 16

enum { PIECE_START = 1, PIECE_END = 2, PARENT = 4, ROOT = 8, KEYED = 16 };

static const uint32_t START[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                  0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

/* What one lane hashes: a piece of an input, or the two digests below a joint of the tree. */
struct part {
    const uint8_t *at;
    uint8_t *digest;
    uint32_t bytes, counter;
    uint32_t first, last; /* flags of its first and its last block */
    uint32_t each;        /* and of all */
};

typedef void hash_parts(const uint32_t *key, const struct part *parts, size_t count, size_t blocks);

/* Parts that wait until a whole width of equally long ones is there; the key, and the hash of this width. */
struct hasher {
    uint32_t key[8];
    uint32_t each;
    hash_parts *hash;
    size_t lanes;
    size_t waiting[PIECE_BLOCKS + 1];
    struct part parts[PIECE_BLOCKS + 1][MOST_LANES];
};

static inline uint32_t load_32(const uint8_t *from) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

static inline void store_32(uint8_t *to, uint32_t word) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(word >> (8 * i));
}

#if defined(__x86_64__)
#define SR_LANES 16
#define SR_TARGET __attribute__((target("avx512f,avx512vl")))
#define SR_NAME(word) word##_16
#include "blake3_lanes.h"

#define SR_LANES 8
#define SR_TARGET __attribute__((target("avx2")))
#define SR_NAME(word) word##_8
#include "blake3_lanes.h"
#endif

#define SR_LANES 4
#define SR_TARGET
#define SR_NAME(word) word##_4
#include "blake3_lanes.h"

int sr_digest_lanes(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512vl")) return 16;
    if (__builtin_cpu_supports("avx2")) return 8;
#endif
    return 4;
}

static void flush(struct hasher *to, size_t blocks) {
    if (to->waiting[blocks]) to->hash(to->key, to->parts[blocks], to->waiting[blocks], blocks);
    to->waiting[blocks] = 0;
}

static void flush_all(struct hasher *to) {
    for (size_t blocks = 1; blocks <= PIECE_BLOCKS; blocks++) flush(to, blocks);
}

static void add(struct hasher *to, struct part part) {
    size_t blocks = part.bytes ? (part.bytes + BLOCK - 1) / BLOCK : 1;
    part.each = to->each;
    to->parts[blocks][to->waiting[blocks]++] = part;
    if (to->waiting[blocks] == to->lanes) flush(to, blocks);
}

static size_t pieces_of(uint32_t size) { return size ? ((size_t)size + PIECE - 1) / PIECE : 1; }

/* Hash the pieces of all inputs. The digest of an input of one piece is its own. */
static void hash_pieces(struct hasher *to, const uint8_t *const *inputs, const uint32_t *sizes, size_t count,
                        uint8_t *digests) {
    for (size_t i = 0; i < count; i++) {
        size_t pieces = pieces_of(sizes[i]);
        const uint8_t *data = inputs[i];
        uint32_t left = sizes[i];
        for (uint32_t piece = 0; piece < pieces; piece++) {
            uint32_t bytes = left < PIECE ? left : PIECE;
            uint32_t end = pieces == 1 ? PIECE_END | ROOT : PIECE_END;
            add(to, (struct part){data, digests, bytes, piece, PIECE_START, end, 0});
            data += bytes;
            left -= bytes;
            digests += SR_DIGEST_BYTES;
        }
    }
    flush_all(to);
}

/* Join the digests of one level pairwise; an odd one goes up as it is. Returns whether there is anything to join. */
static int join_level(struct hasher *to, const uint8_t *below, uint8_t *above, size_t *widths, size_t count) {
    int joined = 0;
    for (size_t i = 0; i < count; i++) {
        size_t width = widths[i];
        for (size_t pair = 0; pair < width / 2; pair++) {
            uint32_t end = width == 2 ? ROOT : 0;
            add(to, (struct part){below + 2 * SR_DIGEST_BYTES * pair, above + SR_DIGEST_BYTES * pair,
                                  2 * SR_DIGEST_BYTES, 0, PARENT, end, 0});
            joined = 1;
        }
        if (width % 2) memcpy(above + SR_DIGEST_BYTES * (width / 2), below + SR_DIGEST_BYTES * (width - 1), SR_DIGEST_BYTES);
        below += SR_DIGEST_BYTES * width;
        widths[i] = (width + 1) / 2;
        above += SR_DIGEST_BYTES * widths[i];
    }
    flush_all(to);
    return joined;
}

static void choose_width(struct hasher *to) {
    to->lanes = (size_t)sr_digest_lanes();
    to->hash = parts_4;
#if defined(__x86_64__)
    if (to->lanes == 16) to->hash = parts_16;
    if (to->lanes == 8) to->hash = parts_8;
#endif
}

int sr_digests_apart(const uint8_t *key, const uint8_t *const *inputs, const uint32_t *sizes, size_t count,
                     uint8_t *digests) {
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++) pieces += pieces_of(sizes[i]);
    struct hasher *to = calloc(1, sizeof *to);
    uint8_t *below = malloc(SR_DIGEST_BYTES * pieces + 1), *above = malloc(SR_DIGEST_BYTES * pieces + 1);
    size_t *widths = malloc(sizeof *widths * count + 1);
    int enough = to && below && above && widths;
    if (enough) {
        choose_width(to);
        to->each = key ? KEYED : 0;
        for (int i = 0; i < 8; i++) to->key[i] = key ? load_32(key + 4 * i) : START[i];
        for (size_t i = 0; i < count; i++) widths[i] = pieces_of(sizes[i]);
        hash_pieces(to, inputs, sizes, count, below);
        while (join_level(to, below, above, widths, count)) {
            uint8_t *swapped = below;
            below = above;
            above = swapped;
        }
        memcpy(digests, below, SR_DIGEST_BYTES * count);
    }
    free(to);
    free(below);
    free(above);
    free(widths);
    return enough ? 0 : -1;
}

int sr_digests(const uint8_t *key, const uint8_t *data, const uint32_t *sizes, size_t count, uint8_t *digests) {
    const uint8_t **inputs = malloc(sizeof *inputs * count + 1);
    if (!inputs) return -1;
    for (size_t i = 0; i < count; data += sizes[i++]) inputs[i] = data;
    int outcome = sr_digests_apart(key, inputs, sizes, count, digests);
    free(inputs);
    return outcome;
}
