/* Scope-bound release of locals. Declare `CLEANUP(free_ptr) char *s = NULL;` and hand over with TAKE(s). */
#ifndef DECOY_COMMON_CLEANUP_H
#define DECOY_COMMON_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* The value of a pointer local, which is NULL afterwards: ownership moves to whoever receives it. */
#define TAKE(pointer)                                                                                        \
    (__extension__({                                                                                         \
        __typeof__(pointer) taken_ = (pointer);                                                              \
        (pointer) = NULL;                                                                                    \
        taken_;                                                                                              \
    }))

/* Defines `NAME(TYPE **)`, for CLEANUP, from a destroy function that takes NULL. */
#define CLEANUP_DEFINE(name, type, destroy)                                                                  \
    static inline void name(type **object)                                                                   \
    {                                                                                                        \
        destroy(*object);                                                                                    \
        *object = NULL;                                                                                      \
    }

static inline void free_ptr(void *pointer)
{
    free(*(void **)pointer);
    *(void **)pointer = NULL;
}

static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static inline void close_stream(FILE **stream)
{
    if (*stream)
        fclose(*stream);
    *stream = NULL;
}

#endif
