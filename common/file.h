/* Whole files: written aside, fsynced, renamed. A reader sees the old file, the new one, or none. */
#ifndef DECOY_COMMON_FILE_H
#define DECOY_COMMON_FILE_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct outfile;

/* Makes an empty temporary file (O_EXCL) beside path. Give its name to a library that writes by name, or
 * write by outfile_fd. The caller ends it with outfile_publish or outfile_discard. */
int outfile_open(struct outfile **out, const char *path, struct err *err);
const char *outfile_temporary(const struct outfile *file);
int outfile_fd(struct outfile *file);
int outfile_write(struct outfile *file, const void *data, size_t size, struct err *err); /* all of it */

/* Fsyncs the temporary file, renames it to its path and fsyncs the directory. Frees file in any case; on
 * failure the temporary file is gone and what was at path before is unchanged. */
int outfile_publish(struct outfile *file, struct err *err);
void outfile_discard(struct outfile *file); /* NULL is fine */
CLEANUP_DEFINE(outfile_discard_ptr, struct outfile, outfile_discard)

/* All of it in one call. */
int file_publish(const char *path, const void *data, size_t size, struct err *err);
/* The same for a secret: the file is never open to others, not even while it is written. */
int file_publish_private(const char *path, const void *data, size_t size, struct err *err);

/* Reads at most limit bytes; a larger file is an error. *data ends with an extra NUL and is the caller's. The
 * linker knows it by another name: CFITSIO exports a file_read, which a program could get instead. */
int file_read(const char *path, size_t limit, char **data, size_t *size,
              struct err *err) __asm__("decoy_file_read");

/* All of it, however many calls that takes: 0 or -errno. */
int file_write_all(int fd, const void *data, size_t size);

/* `size` bytes from `offset` on. path is for the sentence; -EIO where the file ends before. */
int file_pread(int fd, const char *path, int64_t offset, void *data, size_t size, struct err *err);

/* XXH3-64 of the file's bytes: the number that `xxhsum -H3 FILE` prints. */
int file_checksum(const char *path, uint64_t *checksum, struct err *err);

/* Makes sure that the names in a directory are on the disk. */
int file_sync_directory(const char *directory, struct err *err);

#endif
