/* Sorting ids; reference.py defines what it must answer. */

#ifndef STRONGROOM_SORT_H
#define STRONGROOM_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Write the stable order that sorts `count` ids of 32 bytes, as four little-endian bytes per position.
 * Return 0, or -1 when there is not enough memory (32 bytes per id are needed). */
int sr_sort_ids(const uint8_t *ids, size_t count, uint8_t *positions);

#endif
