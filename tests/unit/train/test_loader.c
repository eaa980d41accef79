/* A data set of 12 shards on the disk of $TMPDIR, read by the loader in both of its ways. What the disk was asked for is
 * told by the kernel: /proc/self/io of this process, mincore of the files. */
#include "daemon/worker/train/loader.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { SIDE = 32, CHANNELS = 6, SHARD = 32, SHARDS = 12, COUNT = SHARD * SHARDS, MICRO = 8, HEADER = 128 };
enum { FLOATS = SIDE * SIDE * CHANNELS, PAGE = 4096 };

static const struct input_channel NAMES[CHANNELS] = {
    {.name = "g"}, {.name = "ivar_g"}, {.name = "r"}, {.name = "ivar_r"}, {.name = "z"}, {.name = "ivar_z"}};

static char *directory;
static struct dataset *dataset;
static struct input *input;

static void write_npy(const char *path, const char *type, const char *shape, const void *items, size_t size)
{
    CLEANUP(free_ptr) char *file = calloc(1, HEADER + size);
    CLEANUP(free_ptr)
    char *text = str_format("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, shape);
    memcpy(file, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(file + 10, ' ', HEADER - 10);
    memcpy(file + 10, text, strlen(text));
    file[HEADER - 1] = '\n';
    memcpy(file + HEADER, items, size);
    assert_int_equal(file_publish(path, file, HEADER + size, NULL), 0); /* on the disk, and so not dirty */
}

/* Pixel p of example i is i + p / 10,000, so that each says whose it is. */
static void write_shard(int k)
{
    static float pixels[SHARD * FLOATS];
    int64_t labels[SHARD];
    for (int i = 0; i < SHARD; i++) {
        labels[i] = (k * 7 + i) % 3 == 0;
        for (int p = 0; p < FLOATS; p++)
            pixels[i * FLOATS + p] = (float)((k - 1) * SHARD + i) + (float)p / 10000;
    }
    CLEANUP(free_ptr) char *x = dataset_shard_path(directory, 'x', DATASET_TRAIN, (size_t)k, false);
    CLEANUP(free_ptr) char *y = dataset_shard_path(directory, 'y', DATASET_TRAIN, (size_t)k, false);
    CLEANUP(free_ptr) char *shape = str_format("%d, %d, %d, %d", SHARD, SIDE, SIDE, CHANNELS);
    write_npy(x, "<f4", shape, pixels, sizeof pixels);
    write_npy(y, "<i8", "32,", labels, sizeof labels);
}

static void write_manifest(void)
{
    json_t *shards = json_array(), *channels = json_array();
    for (int c = 0; c < CHANNELS; c++)
        json_array_append_new(channels, json_string(NAMES[c].name));
    for (int k = 1; k <= SHARDS; k++)
        json_array_append_new(shards, json_pack("{ss si si s{si} s{si}}", "part", "train", "k", k, "examples",
                                                SHARD, "x", "bytes", HEADER + SHARD * FLOATS * 4, "y",
                                                "bytes", HEADER + SHARD * 8));
    json_t *manifest = json_pack("{si si si so so}", "v", 1, "stamp", SIDE, "shard_examples", SHARD,
                                 "channels", channels, "shards", shards);
    CLEANUP(free_ptr) char *path = path_join(directory, "manifest.json");
    CLEANUP(free_ptr) char *text = json_dumps(manifest, 0);
    assert_int_equal(file_publish(path, text, strlen(text), NULL), 0);
    json_decref(manifest);
}

static void open_all(void)
{
    struct err err = {0};
    directory = check_directory();
    for (int k = 1; k <= SHARDS; k++)
        write_shard(k);
    write_manifest();
    if (dataset_open(&dataset, directory, &err) != 0 ||
        input_create(&input, "none", "none", SIDE, CHANNELS, NAMES, &err) != 0)
        fail_msg("%s", err.text);
}

static void close_all(void)
{
    input_destroy(input);
    dataset_close(dataset);
    free(directory);
}

/* The pages that a shard's pixels lie in. */
static void *pages_of(size_t k)
{
    const float *pixels = dataset_pixels(dataset, DATASET_TRAIN, (k - 1) * SHARD, NULL);
    assert_non_null(pixels);
    return (void *)((uintptr_t)pixels / PAGE * PAGE);
}

/* None of it in the page cache; whether that can be done: not where files are in memory, as in a tmpfs. */
static bool forget(void)
{
    unsigned char there[HEADER + SHARD * FLOATS * 4 / PAGE + 1];
    bool gone = true;
    for (int k = 1; k <= SHARDS; k++) {
        CLEANUP(free_ptr) char *path = dataset_shard_path(directory, 'x', DATASET_TRAIN, (size_t)k, false);
        CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
        void *map = pages_of((size_t)k);
        madvise(map, SHARD * FLOATS * 4, MADV_DONTNEED);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        gone = gone && mincore(map, SHARD * FLOATS * 4, there) == 0 && !(there[0] & 1);
    }
    return gone;
}

/* Of what is in the page cache of all shards, in examples. */
static double examples_there(void)
{
    enum { PAGES = SHARD * FLOATS * 4 / PAGE };
    unsigned char there[PAGES];
    int pages = 0;
    for (size_t k = 1; k <= SHARDS; k++) {
        void *map = pages_of(k);
        assert_int_equal(mincore(map, sizeof there * PAGE, there), 0);
        for (int p = 0; p < PAGES; p++)
            pages += there[p] & 1;
    }
    return pages * (double)PAGE / (FLOATS * 4);
}

/* What this process has had read of disks, in examples. */
static double examples_read(void)
{
    CLEANUP(close_stream) FILE *file = fopen("/proc/self/io", "r");
    char line[256];
    long long bytes = -1;
    while (file && fgets(line, sizeof line, file) && sscanf(line, "read_bytes: %lld", &bytes) != 1)
        continue;
    return (double)bytes / (FLOATS * 4);
}

static struct loader_rows rows_of(const void *context, int64_t batch)
{
    (void)context;
    return (struct loader_rows){batch * MICRO, MICRO};
}

static void check_row(const struct loader_batch *batch, int row, uint64_t example)
{
    float stamp[FLOATS];
    uint8_t label;
    assert_int_equal(dataset_labels(dataset, DATASET_TRAIN, example, 1, &label, NULL), 0);
    assert_int_equal(batch->labels[row], label);
    input_join_planes(input, batch->planes + (size_t)row * input_planes_size(input), stamp);
    for (int p = 0; p < FLOATS; p++)
        assert_true(stamp[p] == (float)example + (float)p / 10000);
}

/* A pass over all examples in the order of an epoch; each must be whole. Returns how many were read of the disk. */
static double pass_over(bool larger_than_memory, int group_rows, uint64_t epoch)
{
    struct dataset_order *order, *same;
    struct loader *loader;
    const struct loader_options options = {.dataset = dataset,
                                           .input = input,
                                           .micro_batch = MICRO,
                                           .group_rows = group_rows,
                                           .larger_than_memory = larger_than_memory};
    assert_int_equal(dataset_order_create(&order, dataset, DATASET_TRAIN, NULL), 0);
    assert_int_equal(dataset_order_create(&same, dataset, DATASET_TRAIN, NULL), 0);
    dataset_order_begin(order, 1, epoch);
    dataset_order_begin(same, 1, epoch);
    const struct loader_pass pass = {
        .part = DATASET_TRAIN, .order = order, .epoch = epoch, .batches = COUNT / MICRO, .rows = rows_of};
    double before = examples_read();
    assert_int_equal(loader_create(&loader, &options, NULL), 0);
    loader_start(loader, &pass);
    for (uint64_t first = 0; first < COUNT; first += MICRO) {
        struct loader_batch batch;
        assert_int_equal(loader_next(loader, &batch, NULL), 0);
        for (int row = 0; row < MICRO; row++)
            check_row(&batch, row, dataset_order_at(same, first + (uint64_t)row));
    }
    loader_destroy(loader);
    dataset_order_destroy(order);
    dataset_order_destroy(same);
    return examples_read() - before;
}

static void loader_gives_the_same_however_it_reads(void **state)
{
    (void)state;
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        pass_over(false, 8 * SHARD, epoch);
        pass_over(true, 8 * SHARD, epoch);
        pass_over(true, 1, epoch);
    }
}

static void loader_keeps_what_fits_in_memory(void **state)
{
    (void)state;
    forget();
    assert_near(pass_over(false, 8 * SHARD, 0), COUNT, 0.02 * COUNT);
    assert_near(pass_over(false, 8 * SHARD, 1), 0, 0.02 * COUNT);
    assert_near(examples_there(), COUNT, 0.02 * COUNT);
}

/* But for the pages at an example's ends, which are its neighbours', too: of seven one or two. */
static void loader_reads_once_and_lets_go_of_what_does_not(void **state)
{
    (void)state;
    static const int GROUPS[] = {8 * SHARD, 2 * SHARD, MICRO, 1};
    for (uint64_t i = 0; i < sizeof GROUPS / sizeof *GROUPS; i++) {
        forget();
        double read = pass_over(true, GROUPS[i], i), left = examples_there();
        printf("groups of %d rows: %.3f of the data set read, %.3f left\n", GROUPS[i], read / COUNT,
               left / COUNT);
        assert_near(read, COUNT, 0.02 * COUNT);
        assert_true(left < 0.3 * COUNT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader_gives_the_same_however_it_reads),
        cmocka_unit_test(loader_keeps_what_fits_in_memory),
        cmocka_unit_test(loader_reads_once_and_lets_go_of_what_does_not),
    };
    open_all();
    if (!forget()) {
        printf("files of %s are in memory, on no disk: set TMPDIR\n", directory);
        return 77;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close_all();
    return failed;
}
