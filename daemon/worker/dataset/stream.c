/* See stream.h. Files stay open while they are among the last FILES that were read of: a window of shards
 * (dataset_order), or two. They are read by pread, since the kernel lets go of no page that is in a map. */
#include "daemon/worker/dataset/stream.h"
#include "common/file.h"
#include "daemon/worker/dataset/dataset_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { FILES = 64 };

struct open_file {
    const struct shard *shard; /* NULL: none is open */
    char *path;
    int fd;
    uint64_t turn; /* of its last read */
};

struct stream {
    struct dataset *dataset;
    float *pixels; /* of an example */
    uint64_t turn;
    struct open_file files[FILES];
};

int stream_create(struct stream **out, struct dataset *dataset, struct err *err)
{
    CLEANUP(stream_destroy_ptr) struct stream *stream = calloc(1, sizeof *stream);
    if (stream) {
        stream->dataset = dataset;
        stream->pixels = malloc(dataset_stamp_bytes(dataset));
    }
    if (!stream || !stream->pixels)
        return err_set(err, -ENOMEM, "out of memory for an example");
    *out = TAKE(stream);
    return 0;
}

static void close_file(struct open_file *file)
{
    if (file->shard)
        close(file->fd);
    file->shard = NULL;
    free(TAKE(file->path));
}

void stream_destroy(struct stream *stream)
{
    if (!stream)
        return;
    for (int i = 0; i < FILES; i++)
        close_file(&stream->files[i]);
    free(stream->pixels);
    free(stream);
}

/* The shard's file, or the one that was not read of for longest. */
static struct open_file *find_file(struct stream *stream, const struct shard *shard)
{
    struct open_file *oldest = &stream->files[0];
    for (int i = 0; i < FILES; i++) {
        if (stream->files[i].shard == shard)
            return &stream->files[i];
        if (stream->files[i].turn < oldest->turn)
            oldest = &stream->files[i];
    }
    return oldest;
}

static int open_file(struct stream *stream, enum dataset_part part, const struct shard *shard,
                     struct open_file *file, struct err *err)
{
    close_file(file);
    file->path = shard_path(stream->dataset, 'x', part, shard);
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0)
        return err_set(err, -errno, "cannot read %s: %s", file->path, strerror(errno));
    file->shard = shard;
    posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM); /* what was not asked for beforehand is read alone */
    return 0;
}

const float *stream_read(struct stream *stream, enum dataset_part part, size_t i, struct err *err)
{
    size_t offset, size = dataset_stamp_bytes(stream->dataset);
    const struct shard *shard = shard_of(stream->dataset, part, i, &offset, err);
    struct open_file *file = shard ? find_file(stream, shard) : NULL;
    if (!shard || (file->shard != shard && open_file(stream, part, shard, file, err) != 0))
        return NULL;
    file->turn = ++stream->turn;
    if (file_pread(file->fd, file->path, (int64_t)offset, stream->pixels, size, err) != 0)
        return NULL;
    posix_fadvise(file->fd, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
    return stream->pixels;
}
