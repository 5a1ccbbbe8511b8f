/* BLAKE3 of many inputs at once; digest_reference.py defines what it must answer. */

#ifndef STRONGROOM_BLAKE3_H
#define STRONGROOM_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

#define SR_DIGEST_BYTES 32

/* Write the keyed digests of `count` inputs that lie end to end in `data`, `sizes[i]` bytes each.
 * Returns -1 when there is no memory for 64 bytes for each started KiB of each input, else 0. */
int sr_digests(const uint8_t *key, const uint8_t *data, const uint32_t *sizes, size_t count, uint8_t *digests);

/* The same of inputs that lie anywhere. Without a key they are hashed plainly. */
int sr_digests_apart(const uint8_t *key, const uint8_t *const *inputs, const uint32_t *sizes, size_t count,
                     uint8_t *digests);

/* The width that this machine runs at: inputs that are hashed at once. */
int sr_digest_lanes(void);

#endif
