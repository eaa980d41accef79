/* See knock.h. */
#include "client/knock.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

int knock_local(const char *state, const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, -EINVAL, "%s is too long for a socket's path; choose a shorter --state", path);
    strcpy(address.sun_path, path);
    CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
    int failed = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    if (failed == EACCES || failed == EPERM)
        return err_set(err, -ENOTCONN, "%s belongs to another user", path);
    if (failed)
        return err_set(err, -ENOTCONN, "no decoyd serves %s; start it with `decoy up`", state);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != geteuid())
        return err_set(err, -EPERM, "%s is served by user %u, not by you", path, peer.uid);
    return 0;
}

static int connect_within(int fd, const struct addrinfo *address)
{
    struct pollfd item = {fd, POLLOUT, 0};
    int failed = 0;
    socklen_t size = sizeof failed;
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (poll(&item, 1, PATIENCE_MS) != 1)
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 ? failed : errno;
}

int knock_tcp(const char *address, struct err *err)
{
    const char *host = address + strlen("tcp://"), *colon = strrchr(host, ':');
    bool six = colon && colon > host + 1 && *host == '[' && colon[-1] == ']'; /* an IPv6 address in brackets */
    const struct addrinfo hints = {
        .ai_family = six ? AF_INET6 : AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    CLEANUP(free_ptr) char *name = colon ? strndup(host + six, (size_t)(colon - host) - 2 * six) : NULL;
    struct addrinfo *found = NULL;
    int code = name ? getaddrinfo(name, colon + 1, &hints, &found) : EAI_NONAME;
    if (code)
        return err_set(err, -ENOTCONN, "%s is no address: %s", address, gai_strerror(code));
    CLEANUP(close_fd) int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failed = fd < 0 ? errno : connect_within(fd, found);
    freeaddrinfo(found);
    return failed ? err_set(err, -ENOTCONN, "no decoyd answers at %s: %s", address, strerror(failed)) : 0;
}
