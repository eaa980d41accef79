/* See fdlimit.h. A connection beyond the limit is not refused but waits to be accepted, and costs CPU meanwhile: so the
 * limit is raised as far as it goes, and told where that is not far. */
#include "daemon/fdlimit.h"
#include "common/log.h"

#include <sys/resource.h>

enum { OWN_FILES = 64, FEW = 2048, MOST = 1 << 20 };

static struct rlimit before;

void fdlimit_raise(void)
{
    if (getrlimit(RLIMIT_NOFILE, &before) != 0)
        return;
    struct rlimit raised = before;
    raised.rlim_cur = before.rlim_max > MOST ? MOST : before.rlim_max;
    if (raised.rlim_cur > before.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) != 0)
        raised = before;
    if (raised.rlim_cur < FEW)
        log_warning("this process may open %llu files only, which is room for about %lld clients: raise its "
                    "hard limit "
                    "(ulimit -Hn)",
                    (unsigned long long)raised.rlim_cur,
                    raised.rlim_cur > OWN_FILES ? (long long)raised.rlim_cur - OWN_FILES : 0);
}

void fdlimit_restore(void)
{
    if (before.rlim_max)
        setrlimit(RLIMIT_NOFILE, &before);
}
