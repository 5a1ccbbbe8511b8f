/* Moving the rows of an index; merge_reference.py defines what each function must answer. */

#ifndef STRONGROOM_ROWS_H
#define STRONGROOM_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* Copy `count` rows of `bytes` bytes each in the order that the little-endian 32-bit positions in `order` say.
 * Returns -1, with the target half written, when a position is not below `rows`. */
int sr_pick(const uint8_t *from, size_t rows, size_t bytes, const uint8_t *order, size_t count, uint8_t *to);

/* Add `by` to `count` little-endian 32-bit numbers. Returns -1 when a sum does not fit 32 bits. */
int sr_shift(const uint8_t *numbers, size_t count, uint32_t by, uint8_t *to);

#endif
