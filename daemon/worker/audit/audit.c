/* See audit.h. Every rank measures shards' worth of stamps and verifies files, handed out one by one; rank 0
 * gets a row for each stamp (about 130 bytes) and does the checks. Sums over stamps are of whole numbers, so that
 * they come out the same for any number of ranks. */
#include "daemon/worker/audit/audit.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/path.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static audit_check *const CHECKS[] = {
    check_integrity, check_counts,    check_overlap,   check_duplicates, check_headers,
    check_order,     check_placement, check_fractions, check_invvar,     check_background,
    check_noise,     check_texture,   check_masks,     check_selection,
};

#define RING_UNIT (1.0 / 65536) /* of relative invvar: the sums are whole multiples of it */

static void audit_free(struct audit *audit)
{
    sample_close(audit);
    json_decref(audit->checks);
}

static void add_rings(struct audit *audit, int label, const float rings[BANDS_MAX][RINGS])
{
    for (int b = 0; b < audit->layout.bands; b++) {
        for (int r = 0; r < RINGS; r++) {
            const size_t at = ((size_t)label * BANDS_MAX + (size_t)b) * RINGS + (size_t)r;
            if (!isfinite(rings[b][r]))
                continue;
            audit->rings[at] += rint((rings[b][r] > 8 ? 8 : rings[b][r]) / RING_UNIT);
            audit->ring_counts[at] += 1;
        }
    }
}

static int measure_span(struct audit *audit, const struct span *span, struct err *err)
{
    CLEANUP(free_ptr)
    float *scratch = calloc((size_t)audit->layout.side * (size_t)audit->layout.side, sizeof *scratch);
    float rings[BANDS_MAX][RINGS];
    if (!scratch)
        return err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < span->shard.count; i++) {
        const float *pixels = dataset_pixels(audit->dataset, span->shard.part, span->shard.first + i, err);
        if (!pixels)
            return -EIO;
        struct measure *measure = &audit->measures[span->at + i];
        measure_stamp(&audit->layout, pixels, scratch, measure, rings);
        if (dataset_is_transposed(audit->dataset)) {
            const float x_px = measure->x_px;
            measure->x_px = measure->y_px;
            measure->y_px = x_px;
        }
        add_rings(audit, audit->labels[span->at + i], (const float(*)[RINGS])rings);
    }
    return 0;
}

/* One more file that is not what the manifest says, or none. */
static int verify_file(struct audit *audit, char which, const struct span *span,
                       const struct dataset_file *file, struct err *err)
{
    CLEANUP(free_ptr) char *path = dataset_file(audit->dataset, which, span->shard.part, span->shard.k);
    uint64_t checksum;
    int code = file_checksum(path, &checksum, err);
    if (code || checksum == file->xxh3)
        return code;
    link_warning(audit->job->link, "%s is not the file that split wrote: its checksum differs", path);
    audit->damaged++;
    return 0;
}

/* A dataset that is not ours has no checksums. */
static int verify_shard(struct audit *audit, const struct span *span, struct err *err)
{
    if (!span->shard.x.bytes)
        return 0;
    int code = verify_file(audit, 'x', span, &span->shard.x, err);
    return code ? code : verify_file(audit, 'y', span, &span->shard.y, err);
}

/* Shards as they are handed out; taken[i] of those that this rank measured. */
static int measure_spans(struct audit *audit, bool *taken, struct err *err)
{
    struct job *job = audit->job;
    const long count = (long)audit->span_count;
    double done = 0;
    int code = 0;
    for (long i; (i = team_claim(job->team, count)) < count;) {
        if (code || link_stop_asked(job->link))
            continue;
        const struct span *span = &audit->spans[i];
        taken[i] = true;
        code = verify_shard(audit, span, err);
        if (!code)
            code = measure_span(audit, span, err);
        if (code && team_size(job->team) > 1)
            return code; /* ends the other ranks too */
        done += (double)span->shard.count;
        link_progress(job->link, done, (double)audit->count, "examples");
    }
    return code;
}

/* All ranks' measures to rank 0: span by span, and a number past the last one to end with. */
static void collect_measures(struct audit *audit, const bool *taken)
{
    struct team *team = audit->job->team;
    const size_t count = audit->span_count;
    for (size_t i = 0; i <= count && team_rank(team) > 0; i++) {
        if (i < count && !taken[i])
            continue;
        team_send(team, &i, sizeof i, 0);
        team_send(team, audit->measures + audit->spans[i].at,
                  audit->spans[i].shard.count * sizeof *audit->measures, 0);
    }
    for (int rank = 1; rank < team_size(team) && team_rank(team) == 0; rank++) {
        for (size_t i = 0; i < count;) {
            team_receive(team, &i, sizeof i, rank);
            team_receive(team, audit->measures + audit->spans[i].at,
                         audit->spans[i].shard.count * sizeof *audit->measures, rank);
        }
    }
    double damaged = (double)audit->damaged;
    team_sum(team, &damaged, 1);
    audit->damaged = (size_t)damaged;
    team_sum(team, audit->rings, 2 * BANDS_MAX * RINGS);
    team_sum(team, audit->ring_counts, 2 * BANDS_MAX * RINGS);
    for (size_t i = 0; i < 2 * BANDS_MAX * RINGS; i++)
        audit->rings[i] *= RING_UNIT;
}

/* Rank 0's part once all is measured. */
static int conclude(struct audit *audit, struct err *err)
{
    audit->plotting = plot_possible();
    if (!audit->plotting)
        link_warning(audit->job->link,
                     "gnuplot cannot be run: there are no plots, only their data and scripts");
    int code = path_make_directories(audit->out, 0777, err);
    if (!code)
        code = sample_read_bricks(audit, err);
    if (!code)
        audit_set_rate(audit);
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS && !code; i++)
        code = CHECKS[i](audit, err);
    if (!code)
        code = result_publish(audit, err);
    return code;
}

int audit_run(struct job *job, struct err *err)
{
    CLEANUP(audit_free) struct audit audit = {.job = job, .checks = json_array()};
    audit.out = spec_text(job->spec, "out");
    audit.directory = spec_text(job->spec, "dataset");
    int code = sample_open(&audit, err);
    if (code)
        return code;
    CLEANUP(free_ptr) bool *taken = calloc(audit.span_count + 1, sizeof *taken);
    const double begin_s = clock_monotonic_s();
    code = taken ? measure_spans(&audit, taken, err) : err_set(err, -ENOMEM, "out of memory");
    if (code)
        return code;
    if (team_any(job->team, link_stop_asked(job->link)))
        return -ECANCELED;
    collect_measures(&audit, taken);
    if (team_rank(job->team) == 0 && job->id)
        link_note(job->link, "measured %zu of %zu stamps, %.0f a second", audit.count, audit.total,
                  (double)audit.count / (clock_monotonic_s() - begin_s));
    code = team_rank(job->team) == 0 ? conclude(&audit, err) : 0;
    team_barrier(job->team);
    return code;
}
