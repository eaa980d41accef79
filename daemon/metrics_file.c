/* See metrics.h. The text is made on the loop and written by a thread, so that a slow disk holds nothing up. The file is
 * for others to read, whatever the umask: node_exporter runs as somebody else. */
#include "common/file.h"
#include "common/log.h"
#include "daemon/metrics_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int publish(const char *path, const char *text, struct err *err)
{
    CLEANUP(outfile_discard_ptr) struct outfile *file = NULL;
    int code = outfile_open(&file, path, err);
    if (!code && fchmod(outfile_fd(file), 0644) != 0)
        code = err_set(err, -errno, "cannot open %s to others: %s", path, strerror(errno));
    if (!code)
        code = outfile_write(file, text, strlen(text), err);
    return code ? code : outfile_publish(TAKE(file), err);
}

static void on_work(uv_work_t *work)
{
    struct metrics *metrics = work->data;
    metrics->err = (struct err){0};
    publish(metrics->daemon->config.metrics_file, metrics->text, &metrics->err);
}

static void on_written(uv_work_t *work, int status)
{
    struct metrics *metrics = work->data;
    (void)status;
    free(metrics->text);
    metrics->text = NULL;
    metrics->writing = false;
    if (*metrics->err.text && !metrics->told)
        log_warning("%s; tried again every %g s", metrics->err.text, metrics->daemon->config.metrics_every_s);
    metrics->told = *metrics->err.text != '\0';
    if (metrics->closing)
        unlink(metrics->daemon->config.metrics_file);
}

static void on_timer(uv_timer_t *timer)
{
    struct metrics *metrics = timer->data;
    struct err err = {0};
    if (metrics->writing) /* the disk hangs */
        return;
    if (metrics_text(metrics, &metrics->text, &err) != 0) {
        log_error("%s", err.text);
        return;
    }
    metrics->writing = uv_queue_work(metrics->daemon->loop, &metrics->work, on_work, on_written) == 0;
}

int metrics_start(struct metrics *metrics, struct err *err)
{
    const char *path = metrics->daemon->config.metrics_file;
    CLEANUP(free_ptr) char *text = NULL;
    uint64_t period_ms = (uint64_t)(1e3 * metrics->daemon->config.metrics_every_s);
    if (!path)
        return 0;
    int code = metrics_text(metrics, &text, err);
    if (!code)
        code = publish(path, text, err);
    if (!code)
        uv_timer_start(&metrics->timer, on_timer, period_ms, period_ms);
    return code ? err_prefix(err, "metrics_file") : 0;
}

void metrics_close(struct metrics *metrics)
{
    metrics->closing = true;
    if (uv_is_active((uv_handle_t *)&metrics->timer) && !metrics->writing)
        unlink(metrics->daemon->config.metrics_file);
    uv_close((uv_handle_t *)&metrics->timer, NULL);
}
