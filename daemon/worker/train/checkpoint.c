/* See checkpoint.h. */
#include "daemon/worker/train/checkpoint.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/h5.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define SEAL      "decoyck1"
#define SIZE_MOST ((size_t)64 << 30)
enum { SEAL_SIZE = 16, VERSION = 2 };

char *checkpoint_path(const char *directory, int64_t step)
{
    return str_format("%s/ckpt-%" PRId64 ".h5", directory, step);
}

/* The items of struct train_state by name: one table for both ways. */
static const struct item {
    const char *name;
    size_t offset;
    bool real;
} ITEMS[] = {
/* clang-format off */
#define INTEGER(name) {#name, offsetof(struct train_state, name), false}
#define REAL(name) {#name, offsetof(struct train_state, name), true}
    /* clang-format on */
    INTEGER(step),       INTEGER(validated_step), INTEGER(best_step),   REAL(best_loss),
    REAL(best_accuracy), REAL(valid_loss),        REAL(valid_accuracy), REAL(valid_auc),
    REAL(row_loss),      REAL(row_correct),       INTEGER(row_count),   REAL(epoch_loss),
    REAL(epoch_correct), INTEGER(epoch_count),    REAL(train_loss),     REAL(train_accuracy),
#undef INTEGER
#undef REAL
};

static const struct block {
    const char *name, *checksum;
    size_t offset; /* of the pointer in struct checkpoint */
} BLOCKS[] = {
    {"parameters", "xxh3_parameters", offsetof(struct checkpoint, parameters)},
    {"moments/first", "xxh3_moments_first", offsetof(struct checkpoint, first)},
    {"moments/second", "xxh3_moments_second", offsetof(struct checkpoint, second)},
};
enum { ITEM_COUNT = sizeof ITEMS / sizeof *ITEMS, BLOCK_COUNT = sizeof BLOCKS / sizeof *BLOCKS };

static float *block_of(const struct checkpoint *checkpoint, const struct block *block)
{
    float *values;
    memcpy(&values, (const char *)checkpoint + block->offset, sizeof values);
    return values;
}

static char *checksum_of(const void *data, size_t size)
{
    return str_format("%016llx", (unsigned long long)XXH3_64bits(data, size));
}

static json_t *attributes_of(const struct checkpoint *checkpoint)
{
    const struct train_state *state = &checkpoint->state;
    json_t *attributes = json_pack("{si ss sI sI}", "version", VERSION, "decoy", DECOY_VERSION, "epoch",
                                   (json_int_t)(state->step / checkpoint->steps_per_epoch), "cursor",
                                   (json_int_t)(state->step % checkpoint->steps_per_epoch));
    for (int i = 0; i < ITEM_COUNT; i++) {
        const char *item = (const char *)state + ITEMS[i].offset;
        json_object_set_new(attributes, ITEMS[i].name,
                            ITEMS[i].real ? json_real(*(const double *)item)
                                          : json_integer(*(const int64_t *)item));
    }
    for (int i = 0; i < BLOCK_COUNT; i++) {
        CLEANUP(free_ptr)
        char *checksum = checksum_of(block_of(checkpoint, &BLOCKS[i]), checkpoint->count * sizeof(float));
        json_object_set_new(attributes, BLOCKS[i].checksum, json_string(checksum));
    }
    json_object_update(attributes, (json_t *)checkpoint->setup);
    return attributes;
}

static int write_h5(const char *path, const struct checkpoint *checkpoint, struct err *err)
{
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    int code = h5_create(&file, path, err);
    for (int i = 0; i < BLOCK_COUNT && !code; i++)
        code = h5_write(file, BLOCKS[i].name, H5_TYPE_REAL32, 0, 1, &checkpoint->count,
                        block_of(checkpoint, &BLOCKS[i]), err);
    json_t *attributes = attributes_of(checkpoint);
    if (!code)
        code = h5_write_attributes(file, "/", attributes, err);
    json_decref(attributes);
    return code ? code : h5_publish(TAKE(file), err);
}

static int append_seal(const char *path, struct err *err)
{
    uint64_t checksum;
    char seal[SEAL_SIZE];
    int code = file_checksum(path, &checksum, err);
    if (code)
        return code;
    memcpy(seal, SEAL, 8);
    memcpy(seal + 8, &checksum, 8);
    CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    ssize_t written = fd < 0 ? -1 : write(fd, seal, sizeof seal);
    return written == sizeof seal ? 0
                                  : err_set(err, written < 0 ? -errno : -ENOSPC, "cannot write %s: %s", path,
                                            strerror(written < 0 ? errno : ENOSPC));
}

/* -EBADMSG when the bytes are not those that were sealed. */
static int check_seal(const char *path, struct err *err)
{
    CLEANUP(free_ptr) char *bytes = NULL;
    size_t size;
    uint64_t checksum = 0;
    int code = file_read(path, SIZE_MOST, &bytes, &size, err);
    if (code)
        return code;
    if (size >= SEAL_SIZE)
        memcpy(&checksum, bytes + size - 8, 8);
    if (size < SEAL_SIZE || memcmp(bytes + size - SEAL_SIZE, SEAL, 8) != 0 ||
        XXH3_64bits(bytes, size - SEAL_SIZE) != checksum)
        return err_set(err, -EBADMSG, "%s is torn or was altered", path);
    return 0;
}

static int read_state(const json_t *attributes, struct train_state *state, struct err *err)
{
    for (int i = 0; i < ITEM_COUNT; i++) {
        const json_t *value = json_object_get(attributes, ITEMS[i].name);
        char *item = (char *)state + ITEMS[i].offset;
        if (ITEMS[i].real ? !json_is_real(value) : !json_is_integer(value))
            return err_set(err, -EBADMSG, "has no attribute %s", ITEMS[i].name);
        if (ITEMS[i].real)
            *(double *)item = json_real_value(value);
        else
            *(int64_t *)item = json_integer_value(value);
    }
    return 0;
}

static int read_block(struct h5 *file, const json_t *attributes, const struct block *block,
                      struct checkpoint *checkpoint, struct err *err)
{
    float *values = block_of(checkpoint, block);
    int code = h5_read(file, block->name, H5_TYPE_REAL32, 0, checkpoint->count, values, err);
    if (code)
        return code;
    const char *wanted = json_string_value(json_object_get(attributes, block->checksum));
    CLEANUP(free_ptr) char *checksum = checksum_of(values, checkpoint->count * sizeof *values);
    return wanted && strcmp(wanted, checksum) == 0
               ? 0
               : err_set(err, -EBADMSG, "%s has another checksum than it says", block->name);
}

/* The first key of setup, but library and threads, whose value differs; NULL: none. */
static const char *first_difference(const json_t *setup, const json_t *attributes)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)setup, key, value)
    {
        bool soft = strcmp(key, "library") == 0 || strcmp(key, "threads") == 0;
        if (!soft && !json_equal(value, json_object_get(attributes, key)))
            return key;
    }
    return NULL;
}

static char *value_text(const json_t *object, const char *key)
{
    char *text =
        json_dumps(json_object_get(object, key), JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(10));
    return text ? text : str_format("nothing");
}

static int check_setup(const char *path, const json_t *setup, const json_t *attributes, struct err *err)
{
    const char *key = first_difference(setup, attributes);
    if (!key)
        return 0;
    CLEANUP(free_ptr) char *was = value_text(attributes, key);
    CLEANUP(free_ptr) char *is = value_text(setup, key);
    return err_set(
        err, -ESTALE,
        "%s is of another run: its %s is %.200s, this job's is %.200s; give another --out or move it away",
        path, key, was, is);
}

/* A whole file of that step; it stays open for its blocks. */
static int open_checkpoint(struct h5 **file, const char *path, int64_t step, struct train_state *state,
                           json_t **attributes, struct err *err)
{
    int code = check_seal(path, err);
    if (!code)
        code = h5_open(file, path, err);
    if (!code)
        code = h5_read_attributes(*file, "/", attributes, err);
    if (code)
        return code;
    code = read_state(*attributes, state, err);
    if (!code && state->step != step)
        code = err_set(err, -EBADMSG, "is of step %" PRId64, state->step);
    if (!json_object_get(*attributes, "precision")) /* of before there was a choice, as below */
        json_object_set_new(*attributes, "precision", json_string("f32"));
    if (!json_object_get(*attributes, "sham"))
        json_object_set_new(*attributes, "sham", json_integer(0));
    return code ? err_prefix(err, "%s", path) : 0;
}

int checkpoint_verify(const char *path, int64_t step, json_t **attributes, struct err *err)
{
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    struct train_state state;
    return open_checkpoint(&file, path, step, &state, attributes, err);
}

static int read_checkpoint(const char *path, int64_t step, struct checkpoint *checkpoint, json_t **attributes,
                           struct err *err)
{
    CLEANUP(h5_close_ptr) struct h5 *file = NULL;
    int code = open_checkpoint(&file, path, step, &checkpoint->state, attributes, err);
    if (!code && checkpoint->setup)
        code = check_setup(path, checkpoint->setup, *attributes, err);
    for (int i = 0; i < BLOCK_COUNT && !code; i++)
        code = read_block(file, *attributes, &BLOCKS[i], checkpoint, err);
    return code;
}

int checkpoint_load(const char *directory, int64_t step, struct checkpoint *checkpoint, json_t **attributes,
                    struct err *err)
{
    CLEANUP(free_ptr) char *path = checkpoint_path(directory, step);
    struct checkpoint scratch = *checkpoint;
    json_t *found = NULL;
    int code = path_exists(path) ? read_checkpoint(path, step, &scratch, &found, err)
                                 : err_set(err, -ENOENT, "there is no %s", path);
    if (!code)
        checkpoint->state = scratch.state;
    if (!code && attributes)
        *attributes = json_incref(found);
    json_decref(found);
    return code;
}

/* Reads a saved file into fresh blocks and compares it bit by bit. */
static int read_back(const char *path, const struct checkpoint *saved, struct err *err)
{
    size_t size = saved->count * sizeof(float);
    CLEANUP(free_ptr) float *blocks = calloc(BLOCK_COUNT, size);
    struct checkpoint copy = {.parameters = blocks,
                              .first = blocks + saved->count,
                              .second = blocks + 2 * saved->count,
                              .count = saved->count,
                              .setup = saved->setup};
    json_t *attributes = NULL;
    if (!blocks)
        return err_set(err, -ENOMEM, "out of memory");
    int code = read_checkpoint(path, saved->state.step, &copy, &attributes, err);
    json_decref(attributes);
    bool same = memcmp(copy.parameters, saved->parameters, size) == 0 &&
                memcmp(copy.first, saved->first, size) == 0 &&
                memcmp(copy.second, saved->second, size) == 0 &&
                memcmp(&copy.state, &saved->state, sizeof copy.state) == 0;
    return code || same ? code
                        : err_set(err, -EBADMSG, "%s reads back with other values than were written", path);
}

int checkpoint_save(const char *directory, const struct checkpoint *checkpoint, struct err *err)
{
    CLEANUP(free_ptr) char *path = checkpoint_path(directory, checkpoint->state.step);
    CLEANUP(outfile_discard_ptr) struct outfile *file = NULL;
    int code = outfile_open(&file, path, err);
    if (!code)
        code = write_h5(outfile_temporary(file), checkpoint, err);
    if (!code)
        code = append_seal(outfile_temporary(file), err);
    if (!code)
        code = read_back(outfile_temporary(file), checkpoint, err);
    return code ? code : outfile_publish(TAKE(file), err);
}

static int compare_falling(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left < right) - (left > right);
}

int checkpoint_list(const char *directory, int64_t **steps, size_t *count, struct err *err)
{
    DIR *stream = opendir(directory);
    *count = 0;
    *steps = NULL;
    if (!stream)
        return errno == ENOENT ? 0 : err_set(err, -errno, "cannot read %s: %s", directory, strerror(errno));
    for (struct dirent *entry; (entry = readdir(stream));) {
        int64_t step;
        char *end = strrchr(entry->d_name, '.');
        if (strncmp(entry->d_name, "ckpt-", 5) != 0 || !end || strcmp(end, ".h5") != 0)
            continue;
        *end = '\0';
        if (!str_to_int(entry->d_name + 5, &step))
            continue;
        int64_t *more = realloc(*steps, (*count + 1) * sizeof **steps);
        if (!more)
            abort();
        *steps = more;
        (*steps)[(*count)++] = step;
    }
    closedir(stream);
    if (*count)
        qsort(*steps, *count, sizeof **steps, compare_falling);
    return 0;
}

int checkpoint_prune(const char *directory, int keep, int64_t newest_step, int64_t best_step, struct err *err)
{
    CLEANUP(free_ptr) int64_t *steps = NULL;
    size_t count;
    int kept = 0, code = checkpoint_list(directory, &steps, &count, err);
    for (size_t i = 0; i < count && !code; i++) {
        CLEANUP(free_ptr) char *path = checkpoint_path(directory, steps[i]);
        bool wanted = steps[i] <= newest_step && kept++ < keep;
        if (!wanted && steps[i] != best_step && unlink(path) != 0)
            code = err_set(err, -errno, "cannot delete %s: %s", path, strerror(errno));
    }
    return code;
}

void checkpoint_sweep(const char *directory)
{
    DIR *stream = opendir(directory);
    if (!stream)
        return;
    for (struct dirent *entry; (entry = readdir(stream));) {
        const char *end = strrchr(entry->d_name, '.');
        if (entry->d_name[0] == '.' && strstr(entry->d_name, "ckpt-") && end && strcmp(end, ".part") == 0)
            unlinkat(dirfd(stream), entry->d_name, 0);
    }
    closedir(stream);
}

static void warn_of_platform(const json_t *setup, const json_t *attributes, checkpoint_warn *warn,
                             void *context)
{
    static const char *const KEYS[] = {"library", "threads"};
    for (size_t i = 0; i < 2; i++) {
        if (json_equal(json_object_get(setup, KEYS[i]), json_object_get(attributes, KEYS[i])))
            continue;
        CLEANUP(free_ptr) char *was = value_text(attributes, KEYS[i]);
        CLEANUP(free_ptr) char *is = value_text(setup, KEYS[i]);
        CLEANUP(free_ptr)
        char *text = str_format(
            "the checkpoint was made with %s %s, this run has %s: from here the weights may differ in "
            "the last bits from an undisturbed run's",
            KEYS[i], was, is);
        warn(context, text);
    }
}

int checkpoint_load_newest(const char *directory, struct checkpoint *checkpoint, checkpoint_warn *warn,
                           void *context, struct err *err)
{
    CLEANUP(free_ptr) int64_t *steps = NULL;
    size_t count;
    int code = checkpoint_list(directory, &steps, &count, err);
    if (code)
        return code;
    for (size_t i = 0; i < count; i++) {
        struct err why = {0};
        json_t *attributes = NULL;
        code = checkpoint_load(directory, steps[i], checkpoint, &attributes, &why);
        if (!code)
            warn_of_platform(checkpoint->setup, attributes, warn, context);
        json_decref(attributes);
        if (!code || code == -ESTALE)
            return code ? err_set(err, code, "%s", why.text) : 0;
        CLEANUP(free_ptr) char *text = str_format("%s: passed over, the one before is tried", why.text);
        warn(context, text);
    }
    return err_set(err, -ENOENT, "there is no checkpoint to go on from in %s", directory);
}
