/* Cutouts as a pool: their columns are read now, pixels only of what is shown. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/cutout_file.h"
#include "daemon/worker/dataset/listing.h"
#include "daemon/worker/gallery/gallery.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int read_magnitudes(struct pool *pool, struct cutout_file *file, struct err *err)
{
    int code = -ENOENT;
    for (int c = -1; c < pool->channels && code == -ENOENT; c++) {
        const char *band = pool_band(pool, c);
        CLEANUP(free_ptr) char *name = str_format("mag_%s", band);
        code = cutout_file_reals(file, name, pool->mag + pool->count, err);
        if (!code && !pool->band[0])
            snprintf(pool->band, sizeof pool->band, "%s", band);
    }
    for (size_t i = 0; i < cutout_file_count(file) && code == -ENOENT; i++)
        pool->mag[pool->count + i] = NAN;
    return code == -ENOENT ? 0 : code;
}

static int read_file(struct pool *pool, const char *path, int label, struct err *err)
{
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    const char *names[DATASET_CHANNELS_MAX];
    int code = cutout_file_open(&file, path, err);
    if (code)
        return code;
    const int channels = cutout_file_channels(file);
    for (int c = 0; c < channels && c < DATASET_CHANNELS_MAX; c++)
        names[c] = cutout_file_channel_name(file, c);
    const size_t count = cutout_file_count(file);
    code = pool_set_shape(pool, cutout_file_stamp(file), channels, names, path, err);
    if (!code)
        code = pool_grow(pool, count + 1, err);
    if (!code && count)
        code = read_magnitudes(pool, file, err);
    if (code || count == 0)
        return code;
    if (cutout_file_ints(file, label ? "id" : "objid", pool->id + pool->count, NULL) != 0)
        memset(pool->id + pool->count, 0xff, count * sizeof *pool->id);
    for (size_t i = 0; i < count; i++) {
        pool->label[pool->count + i] = (uint8_t)label;
        pool->file[pool->count + i] = (uint32_t)pool->path_count;
        pool->row[pool->count + i] = (uint32_t)i;
    }
    pool->count += count;
    pool->paths[pool->path_count++] = str_format("%s", path);
    return 0;
}

static int list_class(struct listing *listing, const char *directory, const json_t *manifest,
                      const char *name, struct err *err)
{
    CLEANUP(free_ptr) char *folder = path_join(directory, name);
    if (manifest)
        return listing_read(listing, directory, manifest, name, err);
    return path_is_directory(folder) ? listing_walk_class(listing, directory, name, listing_is_cutouts, err)
                                     : 0;
}

static int read_class(struct pool *pool, const char *directory, const json_t *manifest, int label,
                      struct job *job, struct err *err)
{
    CLEANUP(listing_free) struct listing listing = {0};
    int code = list_class(&listing, directory, manifest, label ? "fake" : "real", err);
    const size_t read = listing.count < POOL_FILES_MAX ? listing.count : POOL_FILES_MAX;
    for (size_t i = 0; i < read && !code && !link_stop_asked(job->link); i++) {
        code = read_file(pool, listing.paths[i * listing.count / read], label, err);
        link_progress(job->link, (double)(pool->files_read + i + 1), (double)(pool->files_read + read),
                      "files");
    }
    pool->files_read += read;
    pool->files += listing.count;
    return code;
}

int pool_read_cutouts(struct pool *pool, const char *directory, struct job *job, struct err *err)
{
    json_t *manifest = NULL;
    pool->paths = calloc(2 * POOL_FILES_MAX, sizeof *pool->paths);
    int code =
        pool->paths ? listing_manifest(directory, &manifest, err) : err_set(err, -ENOMEM, "out of memory");
    for (int label = 0; label < 2 && !code; label++)
        code = read_class(pool, directory, manifest, label, job, err);
    json_decref(manifest);
    return code;
}

int pool_cutout_pixels(const struct pool *pool, size_t i, float *pixels, struct err *err)
{
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    int code = cutout_file_open(&file, pool->paths[pool->file[i]], err);
    return code ? code : cutout_file_read_images(file, pool->row[i], 1, pixels, err);
}
