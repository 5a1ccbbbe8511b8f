/* Looking into a folder: its names, and what the system says of each; walk_reference.py defines what is answered. */

#ifndef STRONGROOM_LOOK_H
#define STRONGROOM_LOOK_H

#include <stddef.h>
#include <stdint.h>

#define SR_FOLDER 0    /* what a seen name is: a folder, */
#define SR_CROSSING -1 /* a folder on another device than the one it stands in, */
#define SR_FOREIGN -2  /* something else on another device; above zero: the reason why it could not be seen */
#define SR_MOST_LIMITS 15
#define SR_TOO_MANY -1

struct sr_names {
    char *packed; /* sorted, each ended by a zero byte */
    size_t size;
    int is_text; /* all of them are UTF-8 */
};

struct sr_part {
    size_t first, first_size, last, last_size; /* places in the names */
    size_t begin, end;                         /* places in the encoded stats */
    uint32_t entries, files;
    int is_settled;
};

struct sr_seen {
    size_t at, size; /* place in the names */
    int what;
};

struct sr_look {
    size_t next; /* place of the first name that was not looked at */
    uint8_t *encoded;
    size_t used, room;
    struct sr_part *parts;
    size_t part_count;
    struct sr_seen *seen;
    size_t seen_count;
    uint64_t files, bytes_low, bytes_high;
    uint64_t histogram[SR_MOST_LIMITS + 1];
};

/* What to look at, and how to judge it. */
struct sr_question {
    int handle;
    const char *names;
    size_t size, start, most;
    int64_t now_ns;
    uint64_t device;
    const uint64_t *limits;
    size_t limit_count;
};

/* Read the names of an open folder. Returns 0, an errno, or SR_TOO_MANY when there are more than `most` of them.
 * `packed` is the caller's to free. */
int sr_list_names(int handle, size_t most, struct sr_names *names);

/* Look at names until a part ends and `most` of them are done. Returns 0 or an errno.
 * The three arrays of the answer are the caller's to free, whatever is returned. */
int sr_look(const struct sr_question *question, struct sr_look *look);

#endif
