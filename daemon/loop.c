/* See loop.h. Only wiring: every part is made here, in the order in which they need one another, and closed
 * in the reverse one. Handles of libuv are freed by their owners in the close callbacks or after the loop. */
#include "daemon/loop.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/path.h"
#include "common/program.h"
#include "common/str.h"
#include "daemon/act.h"
#include "daemon/background.h"
#include "daemon/deadline.h"
#include "daemon/daemon.h"
#include "daemon/forget.h"
#include "daemon/fdlimit.h"
#include "daemon/hang.h"
#include "daemon/hosts.h"
#include "daemon/loglimit.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/place.h"
#include "daemon/recover.h"
#include "daemon/service.h"
#include "daemon/spawn.h"
#include "daemon/stream.h"
#include "daemon/submit.h"
#include "proto/directory.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

struct part {
    struct daemon daemon;
    uv_loop_t loop;
    uv_signal_t term, interrupt, hangup;
    struct notify notify;
    const json_t *flags;
    bool has_loop;
    int lock;
};

void daemon_fail(struct daemon *daemon, const struct err *err)
{
    if (!daemon->failed)
        log_error("%s; decoyd stops, and acknowledges nothing of it", err->text);
    daemon->failed = true;
    uv_stop(daemon->loop);
}

bool daemon_starts_jobs(const struct daemon *daemon)
{
    return !daemon->ending && !daemon->failed && !daemon->drained &&
           deadline_left_s(daemon->deadline) >= daemon->config.least_run_s;
}

void daemon_check_end(struct daemon *daemon)
{
    if (daemon->ending && acts_running(daemon->acts) == 0)
        uv_stop(daemon->loop);
}

void daemon_shut_down(struct daemon *daemon, const char *reason)
{
    struct err err = {0};
    struct job *job;
    if (daemon->ending)
        return;
    log_info("shutting down: %s; %zu jobs run", reason, acts_running(daemon->acts));
    daemon->ending = true;
    notify_stopping();
    for (size_t i = 0; (job = queue_at(daemon->queue, i)); i++) {
        if (job->run && acts_stop(daemon->acts, job, STOP_SHUTDOWN, reason, &err) != 0) {
            daemon_fail(daemon, &err);
            return;
        }
    }
    daemon_check_end(daemon);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    daemon_shut_down(handle->data, "decoyd was shut down");
}

static void on_event(void *context, struct job *job, const struct job_event *event)
{
    struct daemon *daemon = context;
    metrics_event(daemon->metrics, event);
    streams_event(daemon->streams, job, event);
}

static int start_signals(struct part *part)
{
    uv_signal_t *handles[] = {&part->term, &part->interrupt, &part->hangup};
    static const int NUMBERS[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&part->loop, handles[i]);
        handles[i]->data = &part->daemon;
        uv_signal_start(handles[i], on_signal, NUMBERS[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int start_loop(struct part *part, struct err *err)
{
    int status = uv_loop_init(&part->loop);
    if (status != 0)
        return err_set(err, status, "cannot make a loop: %s", uv_strerror(status));
    part->has_loop = true;
    part->daemon.loop = &part->loop;
    return start_signals(part);
}

static int open_store(struct daemon *daemon, struct err *err)
{
    int from_version = 0;
    int code = store_open(&daemon->store, daemon->state, &from_version, err);
    if (from_version)
        log_info("the queue of %s was of version %d: it is brought up to date", daemon->state, from_version);
    return code ? code : store_setting(daemon->store, "drained", &daemon->drained, err);
}

static int find_hosts(struct daemon *daemon, struct err *err)
{
    struct hosts_given given = {.slots = daemon->config.slots,
                                .self = daemon->host,
                                .hosts = daemon->config.hosts,
                                .nodelist = getenv("SLURM_JOB_NODELIST"),
                                .cpus = getenv("SLURM_JOB_CPUS_PER_NODE")};
    return hosts_find(&daemon->slots, &given, err);
}

/* What the loop drives. */
static int create_parts(struct daemon *daemon, struct err *err)
{
    int code = submits_create(&daemon->submits, err);
    if (!code)
        code = streams_create(&daemon->streams, daemon, err);
    if (!code)
        code = acts_create(&daemon->acts, daemon, err);
    if (!code)
        code = forgetting_create(&daemon->forgetting, daemon, err);
    if (!code)
        code = deadline_create(&daemon->deadline, daemon, err);
    if (!code)
        code = metrics_create(&daemon->metrics, daemon, err);
    if (!code)
        code = loglimit_create(&daemon->loglimit, daemon, err);
    if (!code)
        code = hangs_create(&daemon->hangs, daemon, err);
    return code;
}

static int open_parts(struct part *part, struct err *err)
{
    struct daemon *daemon = &part->daemon;
    int code = place_lock(daemon->state, daemon->host, &part->lock, err);
    if (!code)
        code = config_read(&daemon->config, part->flags, daemon->state, err);
    if (!code)
        code = find_hosts(daemon, err);
    if (!code)
        code = program_find_worker(&daemon->worker, err);
    if (!code)
        code = open_store(daemon, err);
    if (!code)
        code = start_loop(part, err);
    if (!code)
        code = create_parts(daemon, err);
    if (code)
        return code;
    daemon->queue = queue_create();
    daemon->history = history_create(daemon->store, daemon->queue, on_event, daemon);
    code = recover_place(daemon, err);
    return code ? code : recover_queue(daemon, err);
}

static int serve(struct part *part, struct err *err)
{
    struct daemon *daemon = &part->daemon;
    fdlimit_raise();
    int code = zsock_create(&daemon->zsock, daemon->loop, daemon->state, daemon->config.listen,
                            service_on_message, service_on_quiet, daemon, err);
    if (!code)
        code = metrics_start(daemon->metrics, err);
    if (!code)
        code = recover_runs(daemon, err);
    if (!code) {
        acts_schedule(daemon->acts);
        forgetting_start(daemon->forgetting);
    }
    return code             ? code
           : daemon->failed ? err_set(err, -EIO, "the queue cannot be written; see decoyd.log")
                            : 0;
}

static void close_parts(struct part *part)
{
    struct daemon *daemon = &part->daemon;
    if (daemon->acts)
        acts_close(daemon->acts);
    if (daemon->forgetting)
        forgetting_close(daemon->forgetting);
    if (daemon->deadline)
        deadline_close(daemon->deadline);
    if (daemon->metrics)
        metrics_close(daemon->metrics);
    if (daemon->loglimit)
        loglimit_close(daemon->loglimit);
    if (daemon->hangs)
        hangs_close(daemon->hangs);
    if (daemon->streams)
        streams_close(daemon->streams);
    zsock_close(daemon->zsock);
    if (part->has_loop) {
        notify_close(&part->notify);
        uv_close((uv_handle_t *)&part->term, NULL);
        uv_close((uv_handle_t *)&part->interrupt, NULL);
        uv_close((uv_handle_t *)&part->hangup, NULL);
        uv_run(&part->loop, UV_RUN_DEFAULT);
        uv_loop_close(&part->loop);
    }
    acts_destroy(daemon->acts);
    free(daemon->forgetting);
    free(daemon->deadline);
    free(daemon->metrics);
    free(daemon->loglimit);
    free(daemon->hangs);
    submits_destroy(daemon->submits);
    streams_destroy(daemon->streams);
    history_destroy(daemon->history);
    queue_destroy(daemon->queue);
    store_close(daemon->store);
    if (daemon->zsock) {
        CLEANUP(free_ptr) char *socket = path_join(daemon->state, "decoyd.sock");
        unlink(socket); /* while the lock is still ours */
    }
    close_fd(&part->lock);
    json_decref(daemon->recovered);
    free(daemon->drained);
    free(daemon->worker);
    free(daemon->config.listen);
    free(daemon->config.metrics_file);
    free(daemon->config.hosts);
    slots_clear(&daemon->slots);
    free(daemon->state);
}

static void run(struct part *part, int *ready)
{
    struct daemon *daemon = &part->daemon;
    log_info("decoyd " DECOY_VERSION " serves %s on %s with %d slots on %zu host%s", daemon->state, daemon->host,
             daemon->slots.total, daemon->slots.count, daemon->slots.count == 1 ? "" : "s");
    background_ready(ready, NULL);
    notify_ready(&part->notify, daemon->loop);
    uv_run(daemon->loop, UV_RUN_DEFAULT);
    log_info("decoyd ends%s", daemon->failed ? " because of an error" : "");
}

static int place(struct daemon *daemon, const struct loop_options *options, int *ready, struct err *err)
{
    int code = directory_find(options->state, &daemon->state, err);
    if (!code)
        code = place_prepare(daemon->state, err);
    if (!code && !options->foreground)
        code = background_start(ready, err);
    if (code || options->foreground)
        return code;
    CLEANUP(free_ptr) char *log = path_join(daemon->state, "decoyd.log");
    return background_log_to(log, err);
}

int loop_main(const struct loop_options *options)
{
    struct part part = {.lock = -1, .flags = options->config};
    struct err err = {0};
    int ready = -1;
    part.daemon.started_s = clock_monotonic_s();
    gethostname(part.daemon.host, sizeof part.daemon.host - 1);
    int code = place(&part.daemon, options, &ready, &err);
    if (!code)
        code = open_parts(&part, &err);
    if (!code)
        code = serve(&part, &err);
    if (!code)
        run(&part, &ready);
    else if (ready >= 0)
        background_ready(&ready, err.text);
    else
        fprintf(stderr, "decoyd: %s\n", err.text);
    close_parts(&part);
    return code || part.daemon.failed ? 1 : 0;
}
