/* The least a restore must do: make every folder, and create, write and close every file with its size, in one thread.
 * The source is only listed, before the clock starts; what is written is noise. Nothing is synced.
 * Attributes, links and special files are left out. Prints files and seconds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 20, FOLDERS_OPEN = 64 };

struct wish { char *path; long long size; }; /* a folder has size -1 */

static struct wish *wishes;
static long wished, room;
static size_t root_length;

static int note(const char *path, const struct stat *seen, int kind, struct FTW *where)
{
    if (where->level == 0 || !(kind == FTW_D || (kind == FTW_F && S_ISREG(seen->st_mode))))
        return 0;
    if (wished == room) {
        room = room ? room * 2 : 4096;
        wishes = realloc(wishes, room * sizeof *wishes);
    }
    wishes[wished++] = (struct wish){strdup(path + root_length + 1), kind == FTW_D ? -1 : seen->st_size};
    return 0;
}

static int make(const struct wish *wish, const char *piece)
{
    long long left = wish->size;

    if (left < 0)
        return mkdir(wish->path, 0755);
    int file = open(wish->path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    while (file >= 0 && left > 0) {
        ssize_t done = write(file, piece, left < PIECE_BYTES ? left : PIECE_BYTES);
        if (done <= 0)
            return -1;
        left -= done;
    }
    return file < 0 ? -1 : close(file);
}

int main(int count, char **arguments)
{
    struct timespec began, ended;
    char *piece = malloc(PIECE_BYTES);
    long files = 0;

    for (long place = 0; place < PIECE_BYTES; place++)
        piece[place] = random();
    root_length = count > 2 ? strlen(arguments[1]) : 0;
    if (count < 3 || nftw(arguments[1], note, FOLDERS_OPEN, FTW_PHYS) || chdir(arguments[2]))
        return perror("create"), 1;
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (long number = 0; number < wished; number++) {
        if (make(&wishes[number], piece))
            return perror(wishes[number].path), 1;
        files += wishes[number].size >= 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%ld %.6f\n", files, ended.tv_sec - began.tv_sec + (ended.tv_nsec - began.tv_nsec) / 1e9);
    return 0;
}
