/* The verb explain: why a job is where it is, as one sentence with its numbers, and a word for programs. The first
 * reason that fits is given: what would have to change for the job to start. */
#include "common/clock.h"
#include "common/str.h"
#include "daemon/deadline.h"
#include "daemon/run.h"
#include "daemon/service.h"

#include <errno.h>
#include <math.h>

struct explanation {
    const char *code;
    char *text;
};

static struct explanation explain(const char *code, char *text)
{
    return (struct explanation){code, text};
}

/* "job 3 (running), job 5 (held)", of at most four. */
static char *list_unmet(const struct queue *queue, const struct job_row *row, int *unmet)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    *unmet = 0;
    for (size_t i = 0; i < row->after_count; i++) {
        const struct job *prior = queue_find((struct queue *)queue, row->after[i].id);
        if (!prior || job_ended(prior->row->life.state))
            continue;
        if ((*unmet)++ < 4)
            fprintf(stream, "%sjob %lld (%s)", *unmet > 1 ? ", " : "", (long long)row->after[i].id,
                    job_state_name(prior->row->life.state));
    }
    if (*unmet > 4)
        fprintf(stream, " and %d more", *unmet - 4);
    fclose(stream);
    return text;
}

static struct explanation explain_waiting(const struct daemon *daemon, const struct job_row *row)
{
    int unmet;
    CLEANUP(free_ptr) char *list = list_unmet(daemon->queue, row, &unmet);
    return explain("dependency", str_format("it waits for %d of the %zu jobs it comes after: %s", unmet,
                                            row->after_count, list));
}

static struct explanation explain_held(const struct daemon *daemon, const struct job_row *row)
{
    int unmet;
    CLEANUP(free_ptr) char *list = list_unmet(daemon->queue, row, &unmet);
    const char *reason = row->life.reason;
    return explain("held",
                   str_format("it is held%s%s; `decoy release %lld` lets it start%s%s", *reason ? ": " : "",
                              reason, (long long)row->id, unmet ? " once these have ended: " : "", list));
}

static bool starts_before(const struct job *job, const struct job_row *row, int64_t now_us, const struct slots *slots)
{
    const struct job_life *life = &job->row->life;
    bool able = life->state == JOB_READY && life->not_before_us <= now_us && slots_ranks(slots, job->row) > 0;
    return able && (life->priority > row->life.priority ||
                    (life->priority == row->life.priority && job->row->id < row->id));
}

/* The job that says it has least left to do; NULL when none knows. */
static const struct job *first_to_end(const struct queue *queue, double *left_s)
{
    const struct job *first = NULL, *job;
    for (size_t i = 0; (job = queue_at((struct queue *)queue, i)); i++) {
        json_t *progress = job->run ? progress_json(job->run->progress) : NULL;
        const json_t *left = json_object_get(progress, "left_s");
        if (json_is_number(left) && (!first || json_number_value(left) < *left_s)) {
            *left_s = json_number_value(left);
            first = job;
        }
        json_decref(progress);
    }
    return first;
}

static char *say_first_to_end(const struct daemon *daemon)
{
    char span[CLOCK_TEXT_MAX];
    double left_s = 0;
    const struct job *job = first_to_end(daemon->queue, &left_s);
    return job ? str_format("; job %lld should end first, in %s", (long long)job->row->id,
                            clock_format_span(left_s, span))
               : str_format("%s", "");
}

/* "1 slot", "2 slots"; returns text. */
static const char *count_slots(const struct job_row *row, char text[32])
{
    long count = slots_needed(row);
    snprintf(text, 32, "%ld slot%s", count, count == 1 ? "" : "s");
    return text;
}

/* Ready, and nothing but slots is lacking. */
static struct explanation explain_turn(const struct daemon *daemon, const struct job_row *row, int64_t now_us)
{
    const struct job *first = NULL, *job;
    char needs[32];
    int before = 0, available = daemon->slots.total - daemon->slots.used;
    for (size_t i = 0; (job = queue_at(daemon->queue, i)); i++) {
        if (!starts_before(job, row, now_us, &daemon->slots))
            continue;
        bool earlier = !first || job->row->life.priority > first->row->life.priority;
        first = earlier ? job : first;
        before++;
    }
    CLEANUP(free_ptr) char *end = say_first_to_end(daemon);
    if (!before)
        return explain("slots", str_format("it is next: it needs %s, and %d of %d are free%s",
                                           count_slots(row, needs), available, daemon->slots.total, end));
    return explain("turn", str_format("%d job%s come%s before it (first job %lld, priority %d, %s); %d of %d "
                                      "slots are free, it needs %ld%s",
                                      before, before == 1 ? "" : "s", before == 1 ? "s" : "",
                                      (long long)first->row->id, first->row->life.priority,
                                      count_slots(first->row, needs), available, daemon->slots.total,
                                      slots_needed(row), end));
}

static struct explanation explain_no_time(const struct daemon *daemon)
{
    char left[CLOCK_TEXT_MAX], least[CLOCK_TEXT_MAX], closes[CLOCK_TEXT_MAX];
    return explain("no_time", str_format("the queue closes at %s, in %s, and no job is started with less than %s left "
                                         "(--least-run); it goes on in the next allocation",
                                         clock_format_local(deadline_closes_us(daemon->deadline), closes),
                                         clock_format_span(deadline_left_s(daemon->deadline), left),
                                         clock_format_span(daemon->config.least_run_s, least)));
}

static struct explanation explain_ready(const struct daemon *daemon, const struct job_row *row)
{
    const struct job_life *life = &row->life;
    int64_t now_us = clock_realtime_us();
    char span[CLOCK_TEXT_MAX];
    struct err why = {0};
    if (slots_ranks(&daemon->slots, row) == 0 && slots_check(&daemon->slots, row, &why) != 0)
        return explain("too_big", str_format("%s", why.text));
    if (daemon->ending)
        return explain("ending", str_format("decoyd is ending; the next `decoy up` goes on with it"));
    if (daemon->drained)
        return explain("drained", str_format("decoyd is drained%s%s; `decoy resume` starts jobs again",
                                             *daemon->drained ? ": " : "", daemon->drained));
    if (deadline_left_s(daemon->deadline) < daemon->config.least_run_s)
        return explain_no_time(daemon);
    if (life->not_before_us > now_us)
        return explain("resting", str_format("it rests for another %s after %d failure%s%s%s",
                                             clock_format_span(
                                                 ceil(1e-6 * (double)(life->not_before_us - now_us)), span),
                                             life->failures, life->failures == 1 ? "" : "s",
                                             *life->reason ? ": " : "", life->reason));
    return explain_turn(daemon, row, now_us);
}

static struct explanation explain_running(const struct job *job)
{
    const struct job_life *life = &job->row->life;
    char span[CLOCK_TEXT_MAX], needs[32];
    double kill_s = job->run && job->run->kill_s > 0 ? job->run->kill_s - clock_monotonic_s() : 0;
    clock_format_span(1e-6 * (double)(clock_realtime_us() - life->started_us), span);
    if (life->stop != STOP_NONE)
        return explain("stopping",
                       str_format("it was asked to stop (%s%s%s) and has %.0f s left before it is killed",
                                  job_stop_name(life->stop), *life->reason ? ": " : "", life->reason,
                                  fmax(kill_s, 0)));
    return explain("running", str_format("it runs, attempt %d, for %s, on %s", life->attempt, span,
                                         count_slots(job->row, needs)));
}

static struct explanation explain_row(const struct daemon *daemon, const struct job_row *row)
{
    const struct job *job = queue_find(daemon->queue, row->id);
    switch (row->life.state) {
    case JOB_HELD:
        return explain_held(daemon, row);
    case JOB_WAITING:
        return explain_waiting(daemon, row);
    case JOB_READY:
        return explain_ready(daemon, row);
    case JOB_RUNNING:
        return explain_running(job);
    default:
        return explain(
            "ended",
            str_format("it %s%s%s%s",
                       row->life.state == JOB_SKIPPED || row->life.state == JOB_CANCELLED ? "was " : "",
                       job_state_name(row->life.state), *row->life.reason ? ": " : "", row->life.reason));
    }
}

int verb_explain(struct call *call, struct err *err)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    int64_t id;
    if (!message_int(call->body, "job", 1, &id))
        return call_refuse(call, err, "bad_request", "job must be a job's id");
    int code = call_known_job(call, id, err);
    if (!code)
        code = store_find_job(call->daemon->store, id, &row, err);
    if (code)
        return code;
    struct explanation why = explain_row(call->daemon, row);
    call->answer = json_pack("{sI ss ss ss}", "job", (json_int_t)id, "state", job_state_name(row->life.state),
                             "code", why.code, "text", why.text);
    free(why.text);
    return 0;
}
