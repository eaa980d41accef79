/* decoyd [--state DIR] [--foreground] [--flags] | --version | --help: reads the command line and hands over to
 * loop.c. */
#include "common/cleanup.h"
#include "common/str.h"
#include "daemon/loop.h"
#include "proto/spec.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_USAGE = 2 };

static const char HELP[] =
    "usage: decoyd [--state DIR] [--foreground] [--flags] | --version | --help\n"
    "\n"
    "Runs the jobs that `decoy` submits, and remembers them.\n"
    "\n"
    "  --state DIR    directory of the queue, the socket and the jobs' output;\n"
    "                 default $DECOY_STATE, or ${XDG_STATE_HOME:-~/.local/state}/decoy\n"
    "  --foreground   stay in the foreground and log to standard error\n"
    "                 (otherwise: return when it serves, log to DIR/decoyd.log)\n"
    "\n"
    "Each of these may also stand in DIR/decoyd.yaml (slots: 16), or in the environment (DECOY_SLOTS=16):\n"
    "\n";

static const char HELP_TAIL[] =
    "\n"
    "DECOY_WORKER is the path of decoy-worker where it is not beside decoyd.\n"
    "SIGTERM: running jobs stop and are put back in the queue, then decoyd ends.\n";

static int help(void)
{
    const struct spec_kind *options = spec_daemon_options();
    fputs(HELP, stdout);
    for (size_t i = 0; i < options->count; i++) {
        CLEANUP(free_ptr) char *name = str_format("%s", options->fields[i].name);
        for (char *at = name; *at; at++)
            *at = *at == '_' ? '-' : *at;
        printf("  --%-12s %s\n", name, options->fields[i].help);
    }
    fputs(HELP_TAIL, stdout);
    return 0;
}

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

/* `--keep-days 30` or `--keep-days=30`: puts the value into config. Returns how many arguments it took, 0 for a
 * flag that is none, or an exit code below 0. */
static int read_option(char **argv, json_t *config)
{
    const struct spec_kind *options = spec_daemon_options();
    const char *equals = strchr(argv[0], '='), *text = equals ? equals + 1 : argv[1];
    CLEANUP(free_ptr) char *name = strndup(argv[0], equals ? (size_t)(equals - argv[0]) : strlen(argv[0]));
    for (char *at = name; *at; at++)
        *at = at > name + 1 && *at == '-' ? '_' : *at;
    for (size_t i = 0; strncmp(name, "--", 2) == 0 && i < options->count; i++) {
        struct spec_field field = options->fields[i];
        struct err err = {0};
        json_t *value = NULL;
        if (strcmp(name + 2, field.name) != 0)
            continue;
        field.name = argv[0];
        if (!text)
            return -usage(argv[0], " needs a value");
        if (spec_parse(&field, text, &value, &err) != 0)
            return -usage(err.text, "");
        json_object_set_new(config, options->fields[i].name, value);
        return equals ? 1 : 2;
    }
    return 0;
}

/* Reads the arguments: the exit code of a command line that ends here, or -1. */
static int read_arguments(int argc, char **argv, struct loop_options *options, json_t *config)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0)
            return puts("decoyd " DECOY_VERSION) < 0;
        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (strcmp(argv[i], "--foreground") == 0) {
            options->foreground = true;
        } else if (strncmp(argv[i], "--state=", 8) == 0) {
            options->state = argv[i] + 8;
        } else if (strcmp(argv[i], "--state") == 0) {
            if (i + 1 >= argc)
                return usage("--state needs a directory", "");
            options->state = argv[++i];
        } else {
            int taken = read_option(argv + i, config);
            if (taken <= 0)
                return taken ? -taken : usage("unknown argument ", argv[i]);
            i += taken - 1;
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    json_t *config = json_object();
    struct loop_options options = {.config = config};
    hold_standard_descriptors();
    int code = read_arguments(argc, argv, &options, config);
    if (code < 0)
        code = loop_main(&options);
    json_decref(config);
    return code;
}
