/* Shared by h5.c, h5_set.c and h5_attribute.c alone. */
#ifndef DECOY_DATASET_H5_PRIVATE_H
#define DECOY_DATASET_H5_PRIVATE_H

#include "daemon/worker/dataset/h5.h"

#include <hdf5.h>
#include <sys/types.h>

struct outfile;

struct h5 {
    char *path;
    hid_t id;
    struct outfile *outfile; /* NULL when the file is read */
    off_t reserved;          /* bytes of the disk taken for the file so far, some ahead of its end */
    size_t waiting;          /* bytes put and not sent to the disk yet */
};

/* A sentence with the innermost reason HDF5 gives for what just failed. */
int h5_fail(const struct h5 *file, const char *what, const char *name, struct err *err);

/* Takes disk space for one more object of so many bytes, before HDF5 writes it; nothing where the file system
 * cannot. */
int h5_reserve(struct h5 *file, size_t bytes, struct err *err);

/* HDF5's type, in memory and in the file; to be closed by H5Tclose. Negative on failure. */
hid_t h5_type_make(enum h5_type type, size_t width);

/* The same for reading what is stored as `stored`: HDF5 refuses to turn UTF-8 into ASCII and back. */
hid_t h5_type_as(enum h5_type type, size_t width, hid_t stored);

/* An open object's attribute that is one text: fresh memory, or NULL where there is none. */
char *h5_text_attribute(hid_t object, const char *name);

#endif
