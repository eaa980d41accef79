/* One sentence about what failed, naming the path, key or line. Functions return 0 or a negative errno and
 * fill an optional struct err; only mains and handlers print it. */
#ifndef DECOY_COMMON_ERR_H
#define DECOY_COMMON_ERR_H

#define ERR_TEXT_MAX 1024

struct err {
    int code; /* negative errno, 0 while nothing failed */
    char text[ERR_TEXT_MAX];
};

/* Fills err (may be NULL) and returns code, so that `return err_set(err, -EINVAL, "...")` reads well. Whatever
 * a damaged file lent to the sentence, it is one line of UTF-8 (str_clean). */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the sentence already in err; returns err's code (or -EIO without one). */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
