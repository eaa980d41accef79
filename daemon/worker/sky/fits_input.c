/* See fits_input.h. */
#include "daemon/worker/sky/fits_input.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { FITS_BLOCK = 2880 };

int fits_input_failed(int status, const char *what, const char *path, struct err *err)
{
    char words[FLEN_STATUS] = "", detail[FLEN_ERRMSG] = "";
    fits_get_errstatus(status, words);
    fits_read_errmsg(detail);
    fits_clear_errmsg();
    if (status == END_OF_FILE || status == READ_ERROR)
        return err_set(err, -EIO, "cannot %s %s: it is cut short, or its disk fails", what, path);
    return err_set(err, -EIO, "cannot %s %s: %s%s%s", what, path, words, detail[0] ? "; " : "", detail);
}

int fits_input_check(const char *path, struct err *err)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return err_set(err, -EINVAL, "%s is not a regular file", path);
    if (strlen(path) >= FLEN_FILENAME - 1 || *path == ' ')
        return err_set(err, -EINVAL,
                       "%s: CFITSIO cannot open a path that begins with a blank or has over %d bytes", path,
                       FLEN_FILENAME - 2);
    return status.st_size ? 0 : err_set(err, -EIO, "%s is empty", path);
}

int fits_input_open(fitsfile **out, const char *path, struct err *err)
{
    int status = 0, code = fits_input_check(path, err);
    if (code)
        return code;
    fitsfile *file = NULL;
    if (fits_open_diskfile(&file, path, READONLY, &status))
        return fits_input_failed(status, "open", path, err);
    *out = file;
    return 0;
}

void fits_input_close(fitsfile *file)
{
    int status = 0;
    if (file)
        fits_close_file(file, &status);
    fits_clear_errmsg();
}

int fits_input_check_size(fitsfile *file, long long bytes, const char *path, struct err *err)
{
    LONGLONG head = 0, data = 0, end = 0;
    int status = 0;
    if (fits_get_hduaddrll(file, &head, &data, &end, &status))
        return fits_input_failed(status, "read the header of", path, err);
    long long size = file->Fptr->filesize; /* the unpacked size of a gzipped file: stat would not know it */
    if (bytes < 0 || data < FITS_BLOCK || data > size || bytes > size - data)
        return err_set(
            err, -EIO,
            "%s is cut short: its header promises %lld bytes of data after byte %lld, the file has %lld",
            path, bytes, (long long)data, size);
    return 0;
}
