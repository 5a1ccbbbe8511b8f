/* Moving the rows of an index. */

#include "rows.h"

#include <string.h>

static uint32_t load_32(const uint8_t *from) {
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void store_32(uint8_t *to, uint32_t number) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(number >> (8 * i));
}

int sr_pick(const uint8_t *from, size_t rows, size_t bytes, const uint8_t *order, size_t count, uint8_t *to) {
    for (size_t i = 0; i < count; i++) {
        uint32_t at = load_32(order + 4 * i);
        if (at >= rows) return -1;
        memcpy(to + bytes * i, from + bytes * at, bytes);
    }
    return 0;
}

int sr_shift(const uint8_t *numbers, size_t count, uint32_t by, uint8_t *to) {
    for (size_t i = 0; i < count; i++) {
        uint32_t number = load_32(numbers + 4 * i);
        if (number > UINT32_MAX - by) return -1;
        store_32(to + 4 * i, number + by);
    }
    return 0;
}
