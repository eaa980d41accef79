/* decoyd [--state DIR] [--foreground] | --version | --help: reads the command line and hands over to loop.c.
 */
#include "daemon/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_USAGE = 2 };

static const char HELP[] =
    "usage: decoyd [--state DIR] [--foreground] | --version | --help\n"
    "\n"
    "Runs the jobs that `decoy` submits, and remembers them.\n"
    "\n"
    "  --state DIR    directory of the queue, the socket and the jobs' output;\n"
    "                 default $DECOY_STATE, or ${XDG_STATE_HOME:-~/.local/state}/decoy\n"
    "  --foreground   stay in the foreground and log to standard error\n"
    "                 (otherwise: return when it serves, log to DIR/decoyd.log)\n"
    "\n"
    "Environment: DECOY_SLOTS (threads to keep busy; default: the CPUs it may run on),\n"
    "DECOY_WORKER (path of decoy-worker), DECOY_GRACE (time a job has to stop when asked; default 10s).\n"
    "SIGTERM: running jobs stop and are put back in the queue, then decoyd ends.\n";

/* A descriptor below 3 that is closed would be given to a file of ours. */
static void hold_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd < 3);
    if (fd >= 3)
        close(fd);
}

static int usage(const char *what, const char *argument)
{
    fprintf(stderr, "decoyd: %s%s; see decoyd --help\n", what, argument);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    struct loop_options options = {0};
    hold_standard_descriptors();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            printf("decoyd " DECOY_VERSION "\n");
            return 0;
        }
        if (strcmp(argv[i], "--help") == 0) {
            fputs(HELP, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--foreground") == 0)
            options.foreground = true;
        else if (strncmp(argv[i], "--state=", 8) == 0)
            options.state = argv[i] + 8;
        else if (strcmp(argv[i], "--state") == 0 && i + 1 < argc)
            options.state = argv[++i];
        else
            return strcmp(argv[i], "--state") == 0 ? usage("--state needs a directory", "")
                                                   : usage("unknown argument ", argv[i]);
    }
    return loop_main(&options);
}
