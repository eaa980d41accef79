/* A daemon's decoyd.yaml, and the hosts it names. Behind a NUL byte in the input stands what Slurm says instead: a list of
 * nodes, and behind a second one how many CPUs each has. */
#include "common/str.h"
#include "daemon/config.h"
#include "daemon/hosts.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char state[] = "/tmp/decoy-fuzz-XXXXXX";

static void remove_state(void)
{
    CLEANUP(free_ptr) char *link = str_format("%s/decoyd.yaml", state);
    unlink(link);
    rmdir(state);
}

/* The state directory, whose decoyd.yaml is a file in memory. */
static const char *state_with(const uint8_t *data, size_t size)
{
    static bool made;
    const char *file = fuzz_file(data, size);
    if (made)
        return state;
    made = mkdtemp(state) != NULL;
    CLEANUP(free_ptr) char *link = str_format("%s/decoyd.yaml", state);
    fuzz_require(made && symlink(file, link) == 0, "a directory can be made");
    atexit(remove_state);
    return state;
}

static void find_hosts(const struct hosts_given *given)
{
    struct slots slots = {0};
    struct err err = {0};
    if (hosts_find(&slots, given, &err) == 0)
        fuzz_require(slots.count > 0 && slots.total > 0, "there are hosts with slots");
    else
        fuzz_require(err.text[0] != '\0', "refused hosts have a sentence");
    slots_clear(&slots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(free_ptr) char *text = strndup((const char *)data, size), *nodes = NULL, *cpus = NULL;
    size_t length = strlen(text);
    struct config config = {0};
    struct err err = {0};
    json_t *flags = json_object();
    if (length < size)
        nodes = strndup((const char *)data + length + 1, size - length - 1);
    size_t both = nodes ? length + 1 + strlen(nodes) : size;
    if (both < size)
        cpus = strndup((const char *)data + both + 1, size - both - 1);
    if (config_read(&config, flags, state_with(data, length), &err) == 0)
        find_hosts(&(struct hosts_given){.slots = config.slots, .self = "self", .hosts = config.hosts, .nodelist = nodes, .cpus = cpus});
    else
        fuzz_require(err.text[0] != '\0', "a refused configuration has a sentence");
    free(config.hosts);
    free(config.listen);
    free(config.metrics_file);
    json_decref(flags);
    return 0;
}
