/* See stream.h. Files stay open while they are among the last FILES that were read of: a window of shards
 * (dataset_order), or two. Each is read by pread, since the kernel lets go of no page that is in a map. */
#include "daemon/worker/dataset/stream.h"
#include "common/file.h"
#include "daemon/worker/dataset/dataset_private.h"

#include <errno.h>
#include <fcntl.h>

enum { FILES = 64 };

struct open_file {
    const struct shard *shard; /* NULL: none */
    int fd;
    uint64_t turn; /* of its last read */
};

struct stream {
    const struct dataset *dataset;
    float *pixels; /* of an example */
    size_t size;   /* bytes of that */
    uint64_t turn;
    struct open_file files[FILES];
};

int stream_create(struct stream **out, const struct dataset *dataset, struct err *err)
{
    CLEANUP(stream_destroy_ptr) struct stream *stream = calloc(1, sizeof *stream);
    if (stream) {
        stream->dataset = dataset;
        stream->size = dataset_stamp_bytes(dataset);
        stream->pixels = malloc(stream->size);
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

/* The shard's file, opened in the place of the one that was not read of for longest; NULL: it cannot be. */
static const struct open_file *find_file(struct stream *stream, const struct shard *shard)
{
    struct open_file *file = &stream->files[0];
    for (int i = 0; i < FILES && file->shard != shard; i++) {
        if (stream->files[i].shard == shard || stream->files[i].turn < file->turn)
            file = &stream->files[i];
    }
    file->turn = ++stream->turn;
    if (file->shard == shard)
        return file;
    close_file(file);
    file->fd = open(shard->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0)
        return NULL;
    file->shard = shard;
    posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM); /* what was not asked for beforehand is read alone */
    return file;
}

const float *stream_read(struct stream *stream, enum dataset_part part, size_t i)
{
    const struct shard *shard = dataset_find_shard(stream->dataset, part, i);
    const float *mapped = dataset_pixels(stream->dataset, part, i);
    const struct open_file *file = find_file(stream, shard);
    off_t offset = (off_t)((const char *)mapped - (const char *)shard->map);
    if (!file || file_pread(file->fd, shard->path, offset, stream->pixels, stream->size, NULL) != 0)
        return mapped;
    posix_fadvise(file->fd, offset, (off_t)stream->size, POSIX_FADV_DONTNEED);
    return stream->pixels;
}
