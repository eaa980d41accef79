/* See batch.h. Records are scattered to and gathered from memory by the kernel (preadv, pwritev), some MB a
 * call: no copy, and the file is read and written in order. */
#include "daemon/worker/split/batch.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

enum { RECORDS_A_CALL = 64, BOOKKEEPING = 24 };

size_t batch_tail_bytes(const struct plan *plan)
{
    return (sizeof(uint64_t) + plan->rows.bytes + 7) & ~(size_t)7;
}

size_t batch_example_bytes(const struct plan *plan)
{
    return plan_stamp_bytes(plan) + batch_tail_bytes(plan) + BOOKKEEPING;
}

int batch_init(struct batch *batch, const struct plan *plan, size_t room, struct err *err)
{
    *batch = (struct batch){
        .stamp_bytes = plan_stamp_bytes(plan), .tail_bytes = batch_tail_bytes(plan), .room = room};
    batch->pixels = malloc(room * batch->stamp_bytes + 1);
    batch->tails = calloc(room + 1, batch->tail_bytes);
    if (!batch->pixels || !batch->tails)
        return err_set(err, -ENOMEM, "the buffer of %zu examples does not fit in memory", room);
    return 0;
}

void batch_free(struct batch *batch)
{
    free(batch->pixels);
    free(batch->tails);
    *batch = (struct batch){0};
}

size_t batch_record_bytes(const struct batch *batch)
{
    return batch->stamp_bytes + batch->tail_bytes;
}

char *batch_pixels(const struct batch *batch, size_t slot)
{
    return batch->pixels + slot * batch->stamp_bytes;
}

uint64_t *batch_hash(const struct batch *batch, size_t slot)
{
    return (uint64_t *)(batch->tails + slot * batch->tail_bytes);
}

char *batch_row(const struct batch *batch, size_t slot)
{
    return batch->tails + slot * batch->tail_bytes + sizeof(uint64_t);
}

typedef ssize_t transfer(int fd, const struct iovec *parts, int count, off_t offset);

/* All of the parts, whatever a call manages. Parts are used up. */
static int transfer_parts(transfer *move, int fd, const char *path, const char *verb, struct iovec *parts,
                          int count, off_t offset, struct err *err)
{
    for (int at = 0; at < count;) {
        ssize_t moved = move(fd, parts + at, count - at, offset);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return err_set(err, moved ? -errno : -EIO, "cannot %s %s: %s", verb, path,
                           moved ? strerror(errno) : "it ends too early");
        offset += moved;
        for (; at < count && (size_t)moved >= parts[at].iov_len; at++)
            moved -= (ssize_t)parts[at].iov_len;
        if (at < count) {
            parts[at].iov_base = (char *)parts[at].iov_base + moved;
            parts[at].iov_len -= (size_t)moved;
        }
    }
    return 0;
}

/* slots NULL: 0, 1, ... */
static int transfer_records(const struct batch *batch, transfer *move, int fd, const char *path,
                            const char *verb, off_t offset, const uint32_t *slots, size_t count,
                            struct err *err)
{
    struct iovec parts[2 * RECORDS_A_CALL];
    int code = 0;
    for (size_t done = 0; done < count && !code; done += RECORDS_A_CALL) {
        const size_t now = count - done < RECORDS_A_CALL ? count - done : RECORDS_A_CALL;
        for (size_t i = 0; i < now; i++) {
            const size_t slot = slots ? slots[done + i] : done + i;
            parts[2 * i] = (struct iovec){batch_pixels(batch, slot), batch->stamp_bytes};
            parts[2 * i + 1] = (struct iovec){batch_hash(batch, slot), batch->tail_bytes};
        }
        code = transfer_parts(move, fd, path, verb, parts, (int)(2 * now),
                              offset + (off_t)(done * batch_record_bytes(batch)), err);
    }
    return code;
}

int batch_read(struct batch *batch, int fd, const char *path, off_t offset, const uint32_t *slots,
               size_t count, struct err *err)
{
    return transfer_records(batch, preadv, fd, path, "read", offset, slots, count, err);
}

int batch_write(const struct batch *batch, int fd, const char *path, off_t offset, size_t count,
                struct err *err)
{
    return transfer_records(batch, pwritev, fd, path, "write", offset, NULL, count, err);
}
