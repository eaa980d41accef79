/* A fuzz target's main where there is no libFuzzer: gives it each file of the directory that is named. */
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <string.h>

enum { INPUT_MAX = 4 << 20 };

/* The bytes in memory of just their size, so that a sanitizer sees a read beyond them. */
static int replay(const char *path)
{
    struct err err;
    size_t size;
    CLEANUP(free_ptr) char *data = NULL;
    if (file_read(path, INPUT_MAX, &data, &size, &err) != 0) {
        fprintf(stderr, "replay: %s\n", err.text);
        return -1;
    }
    CLEANUP(free_ptr) uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        return -1;
    memcpy(exact, data, size);
    return LLVMFuzzerTestOneInput(exact, size);
}

int main(int count, char **words)
{
    int replayed = 0;
    DIR *corpus = count == 2 ? opendir(words[1]) : NULL;
    if (!corpus) {
        fprintf(stderr, "replay: give it the directory of a corpus\n");
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(corpus));) {
        CLEANUP(free_ptr) char *path = path_join(words[1], entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        if (replay(path) != 0)
            return 1;
        replayed++;
    }
    closedir(corpus);
    printf("%d inputs replayed\n", replayed);
    return replayed ? 0 : 1;
}
