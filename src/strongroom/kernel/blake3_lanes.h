/* One width of the hash: SR_LANES parts at once, each in one element of every vector.
 * Included once for each width, with SR_LANES, SR_TARGET (how to compile) and SR_NAME (what to call it) defined. */

typedef uint32_t SR_NAME(words) __attribute__((vector_size(4 * SR_LANES)));

#define ROTATED(x, by) ((x) >> (by) | (x) << (32 - (by)))
#define MIX(a, b, c, d, x, y)                 \
    do {                                      \
        v[a] += v[b] + m[x];                  \
        v[d] = ROTATED(v[d] ^ v[a], 16);      \
        v[c] += v[d];                         \
        v[b] = ROTATED(v[b] ^ v[c], 12);      \
        v[a] += v[b] + m[y];                  \
        v[d] = ROTATED(v[d] ^ v[a], 8);       \
        v[c] += v[d];                         \
        v[b] = ROTATED(v[b] ^ v[c], 7);       \
    } while (0)
#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) \
    do {                                                                           \
        MIX(0, 4, 8, 12, s0, s1);                                                  \
        MIX(1, 5, 9, 13, s2, s3);                                                  \
        MIX(2, 6, 10, 14, s4, s5);                                                 \
        MIX(3, 7, 11, 15, s6, s7);                                                 \
        MIX(0, 5, 10, 15, s8, s9);                                                 \
        MIX(1, 6, 11, 12, s10, s11);                                               \
        MIX(2, 7, 8, 13, s12, s13);                                                \
        MIX(3, 4, 9, 14, s14, s15);                                                \
    } while (0)

/* The compression function on one block of each lane. */
SR_TARGET static void SR_NAME(compress)(SR_NAME(words) *h, const SR_NAME(words) *m, const SR_NAME(words) *counter,
                                        const SR_NAME(words) *length, const SR_NAME(words) *flags) {
    SR_NAME(words) v[16];
    for (int i = 0; i < 8; i++) v[i] = h[i];
    for (int i = 0; i < 4; i++) v[8 + i] = (SR_NAME(words)){0} + START[i];
    v[12] = *counter;
    v[13] = (SR_NAME(words)){0};
    v[14] = *length;
    v[15] = *flags;
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8);
    ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1);
    ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6);
    ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4);
    ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7);
    ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13);
    for (int i = 0; i < 8; i++) h[i] = v[i] ^ v[8 + i];
}

/* Hash parts of `blocks` blocks each, as many as there are lanes or fewer. */
SR_TARGET static void SR_NAME(parts)(const uint32_t *key, const struct part *parts, size_t count, size_t blocks) {
    SR_NAME(words) h[8], m[16], counter, length, flags;
    uint32_t word[16][SR_LANES], number[3][SR_LANES];
    uint8_t last[SR_LANES][BLOCK];
    for (int i = 0; i < 8; i++) h[i] = (SR_NAME(words)){0} + key[i];
    for (size_t lane = 0; lane < SR_LANES; lane++) {
        const struct part *part = &parts[lane < count ? lane : 0]; /* idle lanes repeat the first */
        size_t tail = part->bytes - BLOCK * (blocks - 1);
        memset(last[lane], 0, BLOCK);
        memcpy(last[lane], part->at + BLOCK * (blocks - 1), tail);
        number[0][lane] = part->counter;
    }
    memcpy(&counter, number[0], sizeof counter);
    for (size_t block = 0; block < blocks; block++) {
        int ends = block + 1 == blocks;
        for (size_t lane = 0; lane < SR_LANES; lane++) {
            const struct part *part = &parts[lane < count ? lane : 0];
            const uint8_t *from = ends ? last[lane] : part->at + BLOCK * block;
            for (int i = 0; i < 16; i++) word[i][lane] = load_32(from + 4 * i);
            number[1][lane] = ends ? part->bytes - BLOCK * (uint32_t)block : BLOCK;
            number[2][lane] = part->each | (block ? 0 : part->first) | (ends ? part->last : 0);
        }
        memcpy(m, word, sizeof m);
        memcpy(&length, number[1], sizeof length);
        memcpy(&flags, number[2], sizeof flags);
        SR_NAME(compress)(h, m, &counter, &length, &flags);
    }
    for (size_t lane = 0; lane < count; lane++)
        for (int i = 0; i < 8; i++) store_32(parts[lane].digest + 4 * i, h[i][lane]);
}

#undef ROTATED
#undef MIX
#undef ROUND
#undef SR_LANES
#undef SR_TARGET
#undef SR_NAME
