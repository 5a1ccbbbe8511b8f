/* Looking into whole folders, and passing by what is known; tour_reference.py and pass_reference.py define what is answered. */

#ifndef STRONGROOM_TOUR_H
#define STRONGROOM_TOUR_H

#include <stddef.h>
#include <stdint.h>

#include "look.h"

/* What each record tells of; see tour_reference.py. */
enum { SR_BEGINS = 1, SR_ENDS = 2, SR_LEFT = 3, SR_REST = 4 };

/* A name that begins and ends so; or just this name, when there is no end. */
struct sr_mark {
    const char *begin, *end;
    size_t begin_size, end_size;
};

struct sr_tour_question {
    int handle; /* of the folder in which those to look into stand */
    const char *path, *names;
    size_t path_size, names_size;
    size_t most, most_names, longest_path, levels;
    int64_t until_ns, now_ns;
    uint64_t device;
    int any_names; /* also such as are not UTF-8 */
    const struct sr_mark *marks;
    size_t mark_count;
    const uint64_t *limits;
    size_t limit_count;
};

struct sr_tour {
    uint8_t *told;
    size_t size;
    uint64_t folders, files, bytes_low, bytes_high;
    uint64_t histogram[SR_MOST_LIMITS + 1];
};

/* Where two rows of records stand, and what was passed by. */
struct sr_passing {
    size_t told, known;
    size_t folders; /* that are as they are known */
    size_t begun;   /* and have not ended yet */
};

/* Look into folders. Returns 0 or an errno; `told` is the caller's to free, whatever is returned. */
int sr_tour(const struct sr_tour_question *question, struct sr_tour *tour);

/* Pass by records that tell of folders which are as they are known, from where `at` stands. */
void sr_pass(const uint8_t *told, size_t told_size, const uint8_t *known, size_t known_size, struct sr_passing *at);

/* Pass by up to `count` whole records, and return how many they were. */
size_t sr_skip(const uint8_t *records, size_t size, size_t count, size_t *at);

#endif
