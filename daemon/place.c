/* See place.h. The lock is a POSIX lock on decoyd.lock, which network file systems pass on to their server; the
 * file says who holds it. It is the process's own: a child that was about to become a worker when its decoyd was
 * killed does not hold it, as it would an flock or an open-file-description lock. It is taken before the database
 * is opened and before the socket is bound, because zmq_bind takes a live daemon's socket away without a word. */
#include "daemon/place.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { SOCKET_PATH_MAX = 100 };

int place_prepare(const char *state, struct err *err)
{
    CLEANUP(free_ptr) char *socket = path_join(state, "decoyd.sock"), *parent = path_directory(state);
    struct stat status;
    if (strlen(socket) > SOCKET_PATH_MAX)
        return err_set(err, -ENAMETOOLONG,
                       "%s is longer than the %d bytes a socket's path may have: choose a shorter --state",
                       socket, SOCKET_PATH_MAX);
    int code = path_make_directories(parent, 0777, err);
    if (code)
        return code;
    if (mkdir(state, 0700) != 0 && errno != EEXIST)
        return err_set(err, -errno, "cannot make directory %s: %s", state, strerror(errno));
    if (stat(state, &status) != 0)
        return err_set(err, -errno, "cannot look at %s: %s", state, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return err_set(err, -ENOTDIR, "%s is not a directory", state);
    if (status.st_uid != geteuid())
        return err_set(err, -EPERM, "%s belongs to user %u, not to you", state, status.st_uid);
    if (status.st_mode & 077)
        return err_set(err, -EPERM, "%s is open to other users (mode %03o): chmod 700 %s", state,
                       status.st_mode & 0777, state);
    return 0;
}

static int busy(int fd, const char *state, struct err *err)
{
    char owner[128] = "";
    ssize_t got = pread(fd, owner, sizeof owner - 1, 0);
    owner[got > 0 ? got : 0] = '\0';
    owner[strcspn(owner, "\n")] = '\0';
    return err_set(err, -EBUSY, "another decoyd serves %s%s%s", state, *owner ? ": " : "", owner);
}

int place_lock(const char *state, const char *host, int *fd_out, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(state, "decoyd.lock");
    CLEANUP(free_ptr) char *owner = str_format("pid %d on %s\n", (int)getpid(), host);
    CLEANUP(close_fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0)
        return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
    if (fcntl(fd, F_SETLK, &lock) != 0)
        return errno == EAGAIN || errno == EACCES
                   ? busy(fd, state, err)
                   : err_set(err, -errno, "cannot lock %s: %s", path, strerror(errno));
    if (ftruncate(fd, 0) != 0 || pwrite(fd, owner, strlen(owner), 0) < 0)
        return err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
    *fd_out = fd;
    fd = -1;
    return 0;
}

int place_name(const char *state, char name[24], struct err *err)
{
    struct stat status;
    if (stat(state, &status) != 0)
        return err_set(err, -errno, "cannot look at %s: %s", state, strerror(errno));
    snprintf(name, 24, "%llu", (unsigned long long)status.st_ino);
    return 0;
}
