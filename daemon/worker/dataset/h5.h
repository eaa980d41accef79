/* HDF5 behind one door: whole files, written aside, fsynced and renamed, never reopened for writing; plain
 * datasets (contiguous, little-endian, no filters) and attributes that h5py and astropy read as they are.
 * The bytes of a file are a function of what was written (no time stamps). Names may hold slashes: groups
 * on the way are made. Not for two threads at once on the same file.
 *
 *     CLEANUP(h5_close_ptr) struct h5 *file = NULL;
 *     int code = h5_create(&file, path, err);
 *     if (!code)
 *         code = h5_write(file, "adam/m", H5_TYPE_REAL32, 0, 4, shape, values, err);
 *     if (!code)
 *         code = h5_write_attributes(file, "/", attributes, err);
 *     return code ? code : h5_publish(TAKE(file), err);
 */
#ifndef DECOY_DATASET_H5_H
#define DECOY_DATASET_H5_H

#include "common/cleanup.h"
#include "common/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum h5_type {
    H5_TYPE_INT64,
    H5_TYPE_REAL64,
    H5_TYPE_REAL32,
    H5_TYPE_UINT8,
    H5_TYPE_TEXT,
    H5_TYPE_REAL16,
    H5_TYPE_MAX
};

enum { H5_RANK_MAX = 8 };

/* What a dataset holds. type is the narrowest of ours that takes the file's values. */
struct h5_shape {
    enum h5_type type;
    size_t width; /* of H5_TYPE_TEXT: bytes an item, NUL-padded */
    int rank;     /* 0: a scalar */
    size_t sizes[H5_RANK_MAX];
    size_t count; /* product of sizes */
};

struct h5;

int h5_open(struct h5 **out, const char *path, struct err *err); /* to read */
int h5_create(struct h5 **out, const char *path,
              struct err *err); /* to write; nothing at path before h5_publish */

/* Closes a file made by h5_create, which is then whole beside its place, and gives XXH3-64 of its bytes; what is
 * not on disk yet is on its way meanwhile. It is for h5_publish or h5_close alone from here on. */
int h5_finish(struct h5 *file, uint64_t *checksum, struct err *err);

/* Finishes where that was not done, fsyncs and renames a file made by h5_create; frees it in any case. */
int h5_publish(struct h5 *file, struct err *err);

/* Closes a file that is read, throws away one that is written. */
void h5_close(struct h5 *file);
CLEANUP_DEFINE(h5_close_ptr, struct h5, h5_close)

const char *h5_path(const struct h5 *file);
const char *h5_version(void); /* of the library, "1.10.8" */

/* Bytes an item has in memory: 8, 8, 4, 1, width, or 2 (a half, half.h). */
size_t h5_item_size(enum h5_type type, size_t width);

/* A whole dataset at once. sizes has rank items; width counts for H5_TYPE_TEXT only. */
int h5_write(struct h5 *file, const char *name, enum h5_type type, size_t width, int rank,
             const size_t *sizes, const void *values, struct err *err);

/* The same in pieces of rows (the first axis), for what does not fit in memory. */
int h5_make(struct h5 *file, const char *name, enum h5_type type, size_t width, int rank, const size_t *sizes,
            struct err *err);
int h5_write_rows(struct h5 *file, const char *name, size_t first, size_t count, const void *values,
                  struct err *err);

/* Makes a dataset of numbers whose place in the file is known, *offset, and fixed: to be written by h5_put in any
 * order, past HDF5, little-endian. Bytes put soon go on their way to the disk. */
int h5_make_at(struct h5 *file, const char *name, enum h5_type type, int rank, const size_t *sizes,
               int64_t *offset, struct err *err);
int h5_put(struct h5 *file, int64_t offset, const void *data, size_t size, struct err *err);
int h5_get(struct h5 *file, int64_t offset, void *data, size_t size, struct err *err); /* what was put */

/* -ENOENT, and a sentence, when there is no such dataset. */
int h5_shape(struct h5 *file, const char *name, struct h5_shape *shape, struct err *err);

/* The same, and an attribute of the dataset that is a text: fresh memory, or NULL where there is none. */
int h5_describe(struct h5 *file, const char *name, const char *attribute, struct h5_shape *shape, char **text,
                struct err *err);

/* All items, as `type` in memory: numbers are converted, texts are cut or padded to width bytes. values has
 * room for `count` items, and a dataset of another count is an error. */
int h5_read(struct h5 *file, const char *name, enum h5_type type, size_t width, size_t count, void *values,
            struct err *err);
int h5_read_rows(struct h5 *file, const char *name, enum h5_type type, size_t width, size_t first,
                 size_t count, void *values, struct err *err);

/* Byte offset in the file of a dataset stored contiguously as little-endian float32, or -1: such rows may be
 * read past HDF5. Checked to lie in the file. */
int64_t h5_plain_offset(struct h5 *file, const char *name);

/* Names of the datasets of a group, in the order of the alphabet: one block, ended by NULL, the caller's to
 * free. */
int h5_names(struct h5 *file, const char *group, char ***names, size_t *count, struct err *err);
int h5_group_names(struct h5 *file, const char *group, char ***names, size_t *count,
                   struct err *err); /* of its groups */

/* An object's attributes ("/" is the file itself) from and to a JSON object. Integers are int64, reals
 * float64, texts fixed-length UTF-8, booleans int64; an array of only texts, integers or reals is an array;
 * null is left out. Anything else is written as JSON text, and a text that is a JSON object or array comes
 * back as one. */
int h5_write_attributes(struct h5 *file, const char *object, const json_t *attributes, struct err *err);
int h5_read_attributes(struct h5 *file, const char *object, json_t **attributes, struct err *err);

#endif
