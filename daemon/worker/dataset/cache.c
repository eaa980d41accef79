/* dataset_cache (dataset.h): <directory>/<fingerprint>/xtrain_<k>.npy and so on, each whole or not there. */
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/dataset_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CHUNK = 1 << 20, SPARED = 20 }; /* a 1/SPARED of the disk is left to others */

/* The disk has room for so many bytes more. */
static bool has_room(const char *directory, size_t bytes)
{
    struct statvfs disk;
    return statvfs(directory, &disk) == 0 &&
           (disk.f_bavail - disk.f_bavail / SPARED) * disk.f_frsize >= bytes;
}

/* Everything from one file to another; the sum of its bytes. */
static int copy_bytes(int from, const char *path, struct outfile *to, uint64_t *xxh3, struct err *err)
{
    CLEANUP(free_ptr) char *chunk = malloc(CHUNK);
    CLEANUP(free_ptr) XXH3_state_t *state = aligned_alloc(64, sizeof *state);
    if (!chunk || !state)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    XXH3_INITSTATE(state);
    XXH3_64bits_reset(state);
    for (ssize_t got; (got = read(from, chunk, CHUNK)) != 0;) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
        XXH3_64bits_update(state, chunk, (size_t)got);
        int code = outfile_write(to, chunk, (size_t)got, err);
        if (code)
            return code;
    }
    *xxh3 = XXH3_64bits_digest(state);
    return 0;
}

static int copy_file(const char *path, const struct dataset_file *file, const char *copy, struct err *err)
{
    uint64_t xxh3 = 0;
    CLEANUP(close_fd) int from = open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(outfile_discard_ptr) struct outfile *to = NULL;
    if (from < 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    int code = outfile_open(&to, copy, err);
    if (!code)
        code = copy_bytes(from, path, to, &xxh3, err);
    if (code)
        return code;
    if (file->xxh3 && xxh3 != file->xxh3)
        return err_set(err, -EINVAL, "%s is not the file that split wrote: its checksum differs", path);
    return outfile_publish(TAKE(to), err);
}

char *cache_path(const struct dataset *dataset, enum dataset_part part, size_t k)
{
    return dataset_shard_path(dataset->cache, 'x', part, k, dataset->hdf5);
}

/* 0 also where the disk is full: *there tells. */
static int copy_shard(const struct dataset *dataset, const struct dataset_shard *shard, bool *there,
                      struct err *err)
{
    CLEANUP(free_ptr) char *path = dataset_file(dataset, 'x', shard->part, shard->k);
    CLEANUP(free_ptr) char *copy = cache_path(dataset, shard->part, shard->k);
    struct err absent = {0};
    *there = shard_check(copy, shard->x.bytes, &absent) == 0;
    if (*there || !has_room(dataset->cache, shard->x.bytes))
        return 0;
    int code = copy_file(path, &shard->x, copy, err);
    *there = !code;
    return code == -ENOSPC || code == -EDQUOT ? 0 : code;
}

int dataset_cache(struct dataset *dataset, const char *directory, const struct dataset_caching *how,
                  size_t *there, size_t *wanted, struct err *err)
{
    if (dataset->foreign)
        return err_set(err, -EINVAL,
                       "--cache: %s was not written by split, so that its files cannot be told apart",
                       dataset->directory);
    dataset->cache = str_format("%s/%016llx", directory, (unsigned long long)dataset->fingerprint);
    int code = path_make_directories(dataset->cache, 0777, err);
    const size_t count =
        dataset->parts[DATASET_TRAIN].shard_count + dataset->parts[DATASET_VALID].shard_count;
    *there = *wanted = 0;
    for (size_t i = how->turn; i < count && !code; i += how->turns) {
        const struct dataset_shard shard = dataset_shard(dataset, i);
        bool copied = false;
        code = copy_shard(dataset, &shard, &copied, err);
        *there += copied;
        ++*wanted;
        if (!code && how->tell(how->context, *wanted, count))
            code = -ECANCELED;
    }
    return code;
}
