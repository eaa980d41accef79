/* Datasets that the original's split_testtrain wrote (dataset.h): files are found by their names and taken in the
 * order of brick, then number. A part's shards have any length, for each brick ends with a short one. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/dataset_private.h"
#include "daemon/worker/dataset/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <math.h>
#include <string.h>

enum { SHARD_EXAMPLES = 512 };

static const char *const CHANNELS[] = {"g", "ivar_g", "r", "ivar_r", "z", "ivar_z"};

/* A file x<part>_<k>.npy of a brick. */
struct file {
    char *path;
    enum dataset_part part;
    long k;
};

struct files {
    struct file *items;
    size_t count;
};

static void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    free(files->items);
}

static int compare_files(const void *a, const void *b)
{
    const struct file *one = a, *two = b;
    CLEANUP(free_ptr) char *first = path_directory(one->path);
    CLEANUP(free_ptr) char *second = path_directory(two->path);
    int order = one->part != two->part ? (int)one->part - (int)two->part : strcmp(first, second);
    return order ? order : (one->k > two->k) - (one->k < two->k);
}

/* Whether name is x{train,test}_<k>.npy. */
static bool read_name(const char *name, enum dataset_part *part, long *k)
{
    char word[8];
    int end = 0;
    if (sscanf(name, "x%5[a-z]_%ld.npy%n", word, k, &end) != 2 || name[end] || !end)
        return false;
    *part = strcmp(word, "train") == 0 ? DATASET_TRAIN : DATASET_TEST;
    return strcmp(word, "train") == 0 || strcmp(word, "test") == 0;
}

static int add_file(struct files *files, const FTSENT *entry)
{
    struct file file;
    if (entry->fts_info != FTS_F || entry->fts_level != 3 || !read_name(entry->fts_name, &file.part, &file.k))
        return 0;
    struct file *larger = realloc(files->items, (files->count + 1) * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    file.path = str_format("%s", entry->fts_path);
    files->items = larger;
    files->items[files->count++] = file;
    return 0;
}

/* <directory>/<AAA>/<brick>/x..., or the same in its testtrain. */
static int find_files(const char *directory, struct files *files, struct err *err)
{
    CLEANUP(free_ptr) char *inner = path_join(directory, "testtrain");
    char *roots[] = {path_is_directory(inner) ? inner : (char *)directory, NULL};
    FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    int code = tree ? 0 : -errno;
    for (FTSENT *entry; !code && (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_level > 3)
            fts_set(tree, entry, FTS_SKIP);
        code = add_file(files, entry);
    }
    if (tree)
        fts_close(tree);
    if (code)
        return err_set(err, code, "cannot read %s: %s", directory, strerror(-code));
    if (files->count == 0)
        return err_set(
            err, -ENOENT,
            "%s is not a finished dataset: it has no manifest.json, which split writes last (nor the "
            "original's <AAA>/<brick>/xtrain_<k>.npy)",
            directory);
    qsort(files->items, files->count, sizeof *files->items, compare_files);
    return 0;
}

/* The sizes of an array of pixels, which must be those of the files before it. */
static int read_sizes(struct dataset *dataset, const char *path, size_t sizes[4], struct err *err)
{
    enum { SIDE_MAX = 4096, HEADER = 8192 };
    char header[HEADER];
    struct npy npy;
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, header, sizeof header);
    if (got < 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    if (npy_parse(&npy, header, (size_t)got, err) != 0)
        return err_prefix(err, "%s", path);
    if (npy.sizes[0] == 0) { /* np.save of nothing */
        sizes[0] = 0;
        return 0;
    }
    const size_t channels = sizeof CHANNELS / sizeof *CHANNELS;
    if (strcmp(npy.descr, "<f4") != 0 || npy.rank != 4 || npy.sizes[1] != npy.sizes[2] || npy.sizes[1] < 1 ||
        npy.sizes[1] > SIDE_MAX || npy.sizes[3] != channels ||
        (dataset->stamp && npy.sizes[1] != (size_t)dataset->stamp))
        return err_set(err, -EINVAL,
                       "%s is not float32 (n, side, side, %zu) with the side of the files before it", path,
                       channels);
    dataset->stamp = (int)npy.sizes[1];
    dataset->channels = (int)channels;
    memcpy(sizes, npy.sizes, 4 * sizeof *sizes);
    return 0;
}

static int make_room(struct dataset_part_data *part)
{
    void *shards = realloc(part->shards, (part->shard_count + 1) * sizeof *part->shards);
    part->shards = shards ? shards : part->shards;
    void *bricks = realloc(part->bricks, (part->shard_count + 1) * sizeof *part->bricks);
    part->bricks = bricks ? bricks : part->bricks;
    return shards && bricks ? 0 : -ENOMEM;
}

static int open_file(struct dataset *dataset, const struct file *file, struct err *err)
{
    struct dataset_part_data *part = &dataset->parts[file->part];
    size_t sizes[4];
    int code = read_sizes(dataset, file->path, sizes, err);
    if (code || sizes[0] == 0)
        return code;
    if (make_room(part) != 0)
        return err_set(err, -ENOMEM, "out of memory for %s", file->path);
    CLEANUP(free_ptr) char *folder = path_directory(file->path);
    struct shard *shard = &part->shards[part->shard_count];
    *shard = (struct shard){.path = str_format("%s", file->path), .first = part->count, .count = sizes[0]};
    snprintf(part->bricks[part->shard_count++], DATASET_BRICK_WIDTH, "%s", path_name(folder));
    part->count += sizes[0];
    return 0;
}

/* Room for all labels, and the labels: the counts of classes are told. */
static int read_labels(struct dataset *dataset, struct err *err)
{
    int code = 0;
    for (int p = 0; p < DATASET_PART_MAX && !code; p++) {
        struct dataset_part_data *part = &dataset->parts[p];
        CLEANUP(free_ptr) uint8_t *labels = calloc(part->count + 1, 1);
        part->labels = calloc(part->count + 1, 1);
        if (!labels || !part->labels)
            return err_set(err, -ENOMEM, "out of memory for %s", dataset->directory);
        code = dataset_labels(dataset, (enum dataset_part)p, 0, part->count, labels, err);
    }
    return code;
}

static int compare_floats(const void *a, const void *b)
{
    float one = *(const float *)a, two = *(const float *)b;
    return (one > two) - (one < two);
}

/* Median of a channel's positive pixels in a sample, evenly spread, of the training part. */
static int sample_median(struct dataset *dataset, int channel, float *values, double *median, struct err *err)
{
    const size_t count = dataset->parts[DATASET_TRAIN].count,
                 pixels = (size_t)dataset->stamp * (size_t)dataset->stamp,
                 channels = (size_t)dataset->channels;
    const size_t sample = count < FOREIGN_SAMPLE ? count : FOREIGN_SAMPLE;
    size_t found = 0;
    for (size_t i = 0; i < sample; i++) {
        const float *stamp = dataset_pixels(dataset, DATASET_TRAIN, i * count / sample, err);
        if (!stamp)
            return -EIO;
        for (size_t p = 0; p < pixels; p++) {
            const float value = stamp[p * channels + (size_t)channel];
            if (value > 0 && isfinite(value))
                values[found++] = value;
        }
    }
    if (found)
        qsort(values, found, sizeof *values, compare_floats);
    *median = found ? values[found / 2] : 0;
    return 0;
}

static json_t *describe_part(const struct dataset *dataset, int p)
{
    const struct dataset_part_data *part = &dataset->parts[p];
    json_t *bricks = json_array();
    json_int_t fakes = 0;
    for (size_t i = 0; i < part->count; i++)
        fakes += part->labels[i];
    for (size_t i = 0; i < part->shard_count; i++) {
        if (i == 0 || strcmp(part->bricks[i], part->bricks[i - 1]) != 0)
            json_array_append_new(bricks, json_string(part->bricks[i]));
    }
    return json_pack("{sI sI sI s{si si} so}", "examples", (json_int_t)part->count, "real",
                     (json_int_t)part->count - fakes, "fake", fakes, "dropped", "real", 0, "fake", 0,
                     "bricks", bricks);
}

static int make_manifest(struct dataset *dataset, struct err *err)
{
    json_t *channels = json_array(), *constants = json_object(), *parts = json_object();
    const size_t pixels = (size_t)dataset->stamp * (size_t)dataset->stamp;
    CLEANUP(free_ptr) float *values = malloc((FOREIGN_SAMPLE * pixels + 1) * sizeof *values);
    int code = values ? 0 : err_set(err, -ENOMEM, "out of memory for %s", dataset->directory);
    for (int c = 0; c < dataset->channels && !code; c++) {
        double median;
        code = sample_median(dataset, c, values, &median, err);
        json_array_append_new(channels, json_string(CHANNELS[c]));
        json_object_set_new(constants, CHANNELS[c], json_pack("{sf}", "median", code ? 0 : median));
    }
    for (int p = 0; p < DATASET_PART_MAX; p++)
        json_object_set_new(parts, dataset_part_name((enum dataset_part)p), describe_part(dataset, p));
    dataset->manifest = json_pack(
        "{si sb ss ss s[ss] ss ss si si so so so}", "v", 1, "foreign", 1, "by", "object", "rule",
        "made by the original's split_testtrain: inside each brick, so that its parts share their sky",
        "classes", "real", "fake", "format", "npy", "axes", "xy", "stamp", dataset->stamp, "shard_examples",
        SHARD_EXAMPLES, "channels", channels, "parts", parts, "normalisation", constants);
    if (!code && !dataset->manifest)
        code = err_set(err, -ENOMEM, "out of memory for %s", dataset->directory);
    return code;
}

int foreign_open(struct dataset *dataset, struct err *err)
{
    CLEANUP(files_free) struct files files = {0};
    dataset->foreign = dataset->transposed = true;
    dataset->shard_examples = SHARD_EXAMPLES;
    int code = find_files(dataset->directory, &files, err);
    for (size_t i = 0; i < files.count && !code; i++)
        code = open_file(dataset, &files.items[i], err);
    if (!code && dataset->parts[DATASET_TRAIN].count + dataset->parts[DATASET_TEST].count == 0)
        code = err_set(err, -EINVAL, "%s has no examples", dataset->directory);
    if (!code)
        code = read_labels(dataset, err);
    return code ? code : make_manifest(dataset, err);
}
