/* See metrics.h: the text. One function a family of them; each metric is a line of HELP, one of TYPE, and its samples. */
#include "common/clock.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/act.h"
#include "daemon/deadline.h"
#include "daemon/metrics_private.h"
#include "daemon/run.h"
#include "daemon/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void family(FILE *to, const char *name, const char *type, const char *help)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(FILE *to, const char *name, const char *type, const char *help, double value)
{
    family(to, name, type, help);
    fprintf(to, "%s %.15g\n", name, value);
}

/* A label's value in quotes. */
static void quoted(FILE *to, const char *text)
{
    fputc('"', to);
    for (; text && *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', to);
        if (*text == '\n')
            fputs("\\n", to);
        else
            fputc(*text, to);
    }
    fputc('"', to);
}

/* One sample with a label. */
static void labelled(FILE *to, const char *name, const char *label, const char *text, double value)
{
    fprintf(to, "%s{%s=", name, label);
    quoted(to, text);
    fprintf(to, "} %.15g\n", value);
}

/* --- the daemon --- */

static void tell_process(FILE *to, const struct metrics *metrics)
{
    struct rusage usage = {0};
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm && fscanf(statm, "%*s %ld", &pages) != 1)
        pages = 0;
    if (statm)
        fclose(statm);
    getrusage(RUSAGE_SELF, &usage);
    family(to, "decoy_build_info", "gauge", "The version of decoyd; always 1.");
    labelled(to, "decoy_build_info", "version", DECOY_VERSION, 1);
    one(to, "decoy_start_time_seconds", "gauge", "When decoyd started, in seconds since 1970.",
        1e-6 * (double)metrics->started_us);
    one(to, "decoy_cpu_seconds_total", "counter", "CPU time of decoyd itself, without its workers.",
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
    one(to, "decoy_resident_memory_bytes", "gauge", "Memory of decoyd itself.",
        (double)pages * (double)sysconf(_SC_PAGESIZE));
}

static void tell_condition(FILE *to, const struct daemon *daemon)
{
    int64_t end_us = deadline_end_us(daemon->deadline), closes_us = deadline_closes_us(daemon->deadline);
    one(to, "decoy_drained", "gauge", "Whether decoyd was told to start no jobs (decoy drain).",
        daemon->drained != NULL);
    one(to, "decoy_ending", "gauge", "Whether decoyd waits for its jobs to stop, and then ends.",
        daemon->ending);
    one(to, "decoy_clients", "gauge", "Clients that follow jobs or events.",
        (double)streams_clients(daemon->streams));
    if (!end_us)
        return;
    one(to, "decoy_reservation_end_time_seconds", "gauge", "When the allocation ends, in seconds since 1970.",
        1e-6 * (double)end_us);
    one(to, "decoy_reservation_left_seconds", "gauge",
        "Time to the end of the allocation when this was written.",
        1e-6 * (double)(end_us - clock_realtime_us()));
    one(to, "decoy_queue_close_time_seconds", "gauge",
        "When running jobs are put back and decoyd ends, in seconds since 1970.", 1e-6 * (double)closes_us);
}

static void tell_refusals(FILE *to, const struct daemon *daemon)
{
    const char *reason;
    json_t *count, *reach = zsock_reach(daemon->zsock);
    family(to, "decoy_clients_refused_total", "counter",
           "Connections refused: of another user, of an unknown key, or not by CURVE to our key.");
    json_object_foreach(json_object_get(reach, "refused_by"), reason, count)
        labelled(to, "decoy_clients_refused_total", "reason", reason, json_number_value(count));
    json_decref(reach);
}

static void tell_slots(FILE *to, const struct slots *slots)
{
    family(to, "decoy_slots", "gauge", "Threads that decoyd may keep busy, by host.");
    for (size_t i = 0; i < slots->count; i++)
        labelled(to, "decoy_slots", "host", slots->hosts[i].name, slots->hosts[i].total);
    family(to, "decoy_slots_used", "gauge", "Slots that running jobs take, by host.");
    for (size_t i = 0; i < slots->count; i++)
        labelled(to, "decoy_slots_used", "host", slots->hosts[i].name, slots->hosts[i].used);
    family(to, "decoy_host_lost", "gauge", "Whether the host was lost, and takes no more jobs.");
    for (size_t i = 0; i < slots->count; i++)
        labelled(to, "decoy_host_lost", "host", slots->hosts[i].name, slots->hosts[i].lost);
}

/* --- the queue on disk --- */

static double file_bytes(const char *state, const char *name)
{
    CLEANUP(free_ptr) char *path = path_join(state, name);
    struct stat status;
    return stat(path, &status) == 0 ? (double)status.st_size : 0;
}

static void tell_disk(FILE *to, const struct daemon *daemon)
{
    struct statvfs disk;
    one(to, "decoy_queue_bytes", "gauge", "Size of the queue's database and its log.",
        file_bytes(daemon->state, "queue.db") + file_bytes(daemon->state, "queue.db-wal"));
    if (statvfs(daemon->state, &disk) != 0)
        return;
    one(to, "decoy_state_free_bytes", "gauge",
        "Space left to decoyd where the queue and the jobs' output are.",
        (double)disk.f_bavail * (double)disk.f_frsize);
    one(to, "decoy_state_size_bytes", "gauge", "Size of that file system.",
        (double)disk.f_blocks * (double)disk.f_frsize);
}

static void tell_commits(FILE *to, const struct histogram *commits)
{
    const char *name = "decoy_commit_seconds";
    int64_t count = 0;
    family(to, name, "histogram", "Time of a commit of the queue, its fsync included.");
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += commits->counts[i];
        fprintf(to, "%s_bucket{le=\"%.10g\"} %lld\n", name, HISTOGRAM_BOUND_S[i], (long long)count);
    }
    count += commits->counts[HISTOGRAM_BOUNDS];
    fprintf(to, "%s_bucket{le=\"+Inf\"} %lld\n%s_sum %.9f\n%s_count %lld\n", name, (long long)count, name,
            commits->sum_s, name, (long long)count);
}

/* --- jobs --- */

static void tell_jobs(FILE *to, const int64_t counts[JOB_STATE_MAX])
{
    family(to, "decoy_jobs", "gauge", "Jobs that decoyd remembers, by state.");
    for (int state = JOB_HELD; state < JOB_STATE_MAX; state++)
        labelled(to, "decoy_jobs", "state", job_state_name((enum job_state)state), (double)counts[state]);
}

static void tell_events(FILE *to, const struct metrics *metrics)
{
    family(to, "decoy_job_events_total", "counter",
           "What became of jobs since decoyd started: submitted, started, succeeded, failed and so on.");
    for (int event = 0; event < EVENT_MAX; event++)
        labelled(to, "decoy_job_events_total", "event", job_event_text((enum job_event_name)event),
                 (double)metrics->events[event]);
    if (metrics->last_event_us)
        one(to, "decoy_last_event_time_seconds", "gauge",
            "When something last became of a job, in seconds since 1970.",
            1e-6 * (double)metrics->last_event_us);
}

/* What is told of each running job: a number of its progress or of the last row of its metrics, or its start. */
enum source { FROM_START, FROM_PROGRESS, FROM_METRICS };

static const struct {
    const char *name, *help;
    enum source source;
    const char *member;
} RUNNING[] = {
    {"decoy_job_start_time_seconds", "When the running attempt started, in seconds since 1970.", FROM_START,
     NULL},
    {"decoy_job_progress_ratio", "How much of a running job is done.", FROM_PROGRESS, "done"},
    {"decoy_job_rate", "Units of its work (bricks, examples, ...) that a running job does in a second.",
     FROM_PROGRESS, "rate"},
    {"decoy_job_left_seconds", "Time that a running job still needs at its rate.", FROM_PROGRESS, "left_s"},
    {"decoy_job_step", "The last step of a running training.", FROM_METRICS, "step"},
    {"decoy_job_loss", "The last loss of a running training.", FROM_METRICS, "loss"},
};

static void tell_running_job(FILE *to, const struct run *run, size_t metric)
{
    const struct job *job = run->job;
    json_t *progress = progress_json(run->progress);
    const json_t *from = RUNNING[metric].source == FROM_PROGRESS ? progress : run->metrics;
    const json_t *member = RUNNING[metric].member ? json_object_get(from, RUNNING[metric].member) : NULL;
    double value = RUNNING[metric].source == FROM_START ? 1e-6 * (double)job->row->life.started_us
                                                        : json_number_value(member);
    if (strcmp(RUNNING[metric].name, "decoy_job_progress_ratio") == 0)
        value /= json_number_value(json_object_get(progress, "total")); /* above 0, or there is no progress */
    if (RUNNING[metric].source == FROM_START || json_is_number(member)) {
        fprintf(to, "%s{job=\"%lld\",kind=\"%s\"", RUNNING[metric].name, (long long)job->row->id,
                job->row->kind);
        if (strcmp(RUNNING[metric].name, "decoy_job_rate") == 0) {
            fputs(",unit=", to);
            quoted(to, json_string_value(json_object_get(progress, "unit")));
        }
        fprintf(to, "} %.15g\n", value);
    }
    json_decref(progress);
}

static void tell_running(FILE *to, const struct daemon *daemon)
{
    family(to, "decoy_job_info", "gauge", "Names of a running job; always 1.");
    for (const struct run *run = acts_first(daemon->acts); run; run = run->next) {
        const struct job *job = run->job;
        fprintf(to, "decoy_job_info{job=\"%lld\",kind=\"%s\",name=", (long long)job->row->id, job->row->kind);
        quoted(to, job->row->name);
        fputs(",run=", to);
        quoted(to, job->row->group);
        fputs("} 1\n", to);
    }
    for (size_t metric = 0; metric < sizeof RUNNING / sizeof *RUNNING; metric++) {
        family(to, RUNNING[metric].name, "gauge", RUNNING[metric].help);
        for (const struct run *run = acts_first(daemon->acts); run; run = run->next)
            tell_running_job(to, run, metric);
    }
}

int metrics_text(struct metrics *metrics, char **text, struct err *err)
{
    const struct daemon *daemon = metrics->daemon;
    int64_t counts[JOB_STATE_MAX];
    size_t size;
    int code = store_count_states(daemon->store, counts, err);
    FILE *to = code ? NULL : open_memstream(text, &size);
    if (!to)
        return code ? code : err_set(err, -ENOMEM, "out of memory");
    tell_process(to, metrics);
    tell_condition(to, daemon);
    tell_refusals(to, daemon);
    tell_slots(to, &daemon->slots);
    tell_disk(to, daemon);
    tell_commits(to, store_commits(daemon->store));
    tell_jobs(to, counts);
    tell_events(to, metrics);
    tell_running(to, daemon);
    fclose(to);
    return 0;
}

void metrics_event(struct metrics *metrics, const struct job_event *event)
{
    metrics->events[event->name]++;
    metrics->last_event_us = event->time_us;
}

static int keep_time(void *context, const struct job_event *event)
{
    ((struct metrics *)context)->last_event_us = event->time_us;
    return 0;
}

int metrics_create(struct metrics **out, struct daemon *daemon, struct err *err)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    int64_t last_seq = 0;
    if (!metrics)
        return err_set(err, -ENOMEM, "out of memory");
    metrics->daemon = daemon;
    metrics->started_us = clock_realtime_us();
    metrics->timer.data = metrics->work.data = metrics;
    uv_timer_init(daemon->loop, &metrics->timer);
    *out = metrics;
    int code = store_last_seq(daemon->store, &last_seq, err);
    return code ? code : store_each_event(daemon->store, 0, last_seq - 1, 1, keep_time, metrics, err);
}
