/* The ckpt tool: which checkpoints a train job has, and whether each is whole. It writes nothing. */
#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/job.h"
#include "daemon/worker/train/checkpoint.h"
#include "proto/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

struct listing {
    const char *directory;
    char *text; /* a line a checkpoint */
    json_t *checkpoints;
    size_t whole, damaged;
    char first_why[ERR_TEXT_MAX]; /* of the first damaged one */
};

static double number_of(const json_t *attributes, const char *name)
{
    return json_number_value(json_object_get(attributes, name));
}

static void add_line(struct listing *listing, char *line)
{
    char *text = str_format("%s%s\n", listing->text, line);
    free(listing->text);
    free(line);
    listing->text = text;
}

static void tell_whole(struct listing *listing, int64_t step, long long bytes, const json_t *attributes)
{
    bool validated = number_of(attributes, "validated_step") == (double)step;
    char loss[64] = "";
    if (validated && number_of(attributes, "best_step") > 0)
        snprintf(loss, sizeof loss, "  valid loss %.5f  AUC %.4f%s", number_of(attributes, "valid_loss"),
                 number_of(attributes, "valid_auc"),
                 number_of(attributes, "best_step") == (double)step ? "  (best)" : "");
    listing->whole++;
    add_line(listing, str_format("step %8" PRId64 "  epoch %4.0f  %10lld bytes  whole%s", step,
                                 number_of(attributes, "epoch"), bytes, loss));
    json_array_append_new(listing->checkpoints,
                          json_pack("{sI sI sb sO}", "step", (json_int_t)step, "bytes", (json_int_t)bytes,
                                    "whole", 1, "attributes", attributes));
}

static void tell_damaged(struct listing *listing, int64_t step, long long bytes, const char *why)
{
    if (!listing->damaged++)
        snprintf(listing->first_why, sizeof listing->first_why, "%s", why);
    add_line(listing,
             str_format("step %8" PRId64 "              %10lld bytes  DAMAGED: %s", step, bytes, why));
    json_array_append_new(listing->checkpoints, json_pack("{sI sI sb ss}", "step", (json_int_t)step, "bytes",
                                                          (json_int_t)bytes, "whole", 0, "why", why));
}

static void look_at(struct listing *listing, int64_t step)
{
    CLEANUP(free_ptr) char *path = checkpoint_path(listing->directory, step);
    struct stat status = {0};
    struct err why = {0};
    json_t *attributes = NULL;
    stat(path, &status);
    if (checkpoint_verify(path, step, &attributes, &why) == 0)
        tell_whole(listing, step, (long long)status.st_size, attributes);
    else
        tell_damaged(listing, step, (long long)status.st_size, why.text);
    json_decref(attributes);
}

static int tell(struct job *job, struct listing *listing, struct err *err)
{
    if (strcmp(spec_text(job->spec, "action"), "verify") == 0 && listing->damaged)
        return err_set(err, -EBADMSG, "%zu of %zu checkpoints are damaged; the first: %s", listing->damaged,
                       listing->damaged + listing->whole, listing->first_why);
    return link_result(job->link,
                       json_pack("{ss sI sI sO}", "text", listing->text, "whole", (json_int_t)listing->whole,
                                 "damaged", (json_int_t)listing->damaged, "checkpoints",
                                 listing->checkpoints),
                       err);
}

int ckpt_run(struct job *job, struct err *err)
{
    const char *run = spec_text(job->spec, "run");
    CLEANUP(free_ptr) char *inside = path_join(run, "ckpts");
    CLEANUP(free_ptr) int64_t *steps = NULL;
    struct listing listing = {.directory = path_exists(inside) ? inside : run};
    size_t count = 0;
    int code = checkpoint_list(listing.directory, &steps, &count, err);
    if (!code && !count)
        code = err_set(err, -ENOENT, "there is no checkpoint in %s", listing.directory);
    if (code)
        return code;
    listing.text = str_format("%s", "");
    listing.checkpoints = json_array();
    for (size_t i = count; i-- > 0;)
        look_at(&listing, steps[i]);
    code = tell(job, &listing, err);
    json_decref(listing.checkpoints);
    free(listing.text);
    return code;
}
