/* dump_dataset DIRECTORY: asks the disk for every example, then a line about the dataset on standard error, and one with how many maps it has; labels, bricks and pixels of every example
 * on standard output, part by part: one byte, 24 bytes, the stamp. For test_foreign.py. */
#include "daemon/worker/dataset/dataset.h"

#include <errno.h>
#include <string.h>

enum { WIDTH = 24 };

static int count_maps(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int lines = 0;
    for (int c; maps && (c = fgetc(maps)) != EOF;)
        lines += c == '\n';
    if (maps)
        fclose(maps);
    return lines;
}

static int dump_part(struct dataset *dataset, enum dataset_part part, struct err *err)
{
    const size_t count = dataset_count(dataset, part), items = (size_t)dataset_stamp(dataset) *
                                                               (size_t)dataset_stamp(dataset) *
                                                               (size_t)dataset_channels(dataset);
    CLEANUP(free_ptr) char *bricks = calloc(count + 1, WIDTH);
    dataset_prefetch(dataset, part, 0, count + 1); /* one more than there are */
    int code = dataset_text_column(dataset, part, "brickname", WIDTH, bricks, err);
    for (size_t i = 0; i < count && !code; i++) {
        uint8_t label = 0;
        const float *pixels = dataset_pixels(dataset, part, i, err);
        code = pixels ? dataset_labels(dataset, part, i, 1, &label, err) : -EIO;
        if (code)
            return code;
        putchar(label);
        fwrite(bricks + i * WIDTH, 1, WIDTH, stdout);
        fwrite(pixels, sizeof(float), items, stdout);
    }
    return code;
}

int main(int argc, char **argv)
{
    CLEANUP(dataset_close_ptr) struct dataset *dataset = NULL;
    struct err err = {0};
    double value;
    int code = argc == 2 ? dataset_open(&dataset, argv[1], &err) : -EINVAL;
    for (int part = 0; part < DATASET_PART_MAX && !code; part++)
        code = dump_part(dataset, (enum dataset_part)part, &err);
    if (code) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    fprintf(stderr, "%zu %zu %zu %d %d %d %a %016llx", dataset_count(dataset, DATASET_TRAIN),
            dataset_count(dataset, DATASET_VALID), dataset_count(dataset, DATASET_TEST),
            dataset_stamp(dataset), dataset_channels(dataset), dataset_is_transposed(dataset),
            dataset_channel_median(dataset, 1), (unsigned long long)dataset_fingerprint(dataset));
    code = dataset_column(dataset, DATASET_TEST, "mag_g", &value, &err);
    fprintf(stderr, "\n%d %s\n%d maps\n", code == -ENOENT, err.text, count_maps());
    return 0;
}
