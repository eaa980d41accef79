/* See plan.h. */
#include "daemon/worker/cutouts/plan.h"
#include "common/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct plan {
    struct item *items;
    size_t count, orphans;
};

static int64_t first_image_size(const struct cutting *cutting, const struct item *item)
{
    CLEANUP(free_ptr) char *path = NULL;
    struct stat status;
    if (survey_find_plane(item_survey(cutting, item), &item->brick, "image", cutting->bands[0], &path,
                          NULL) != 0)
        return 0;
    return stat(path, &status) == 0 ? status.st_size : 0;
}

static void add_item(const struct cutting *cutting, struct plan *plan, const struct brick *brick, bool fake)
{
    struct item *item = &plan->items[plan->count++];
    memset(item, 0, sizeof *item); /* its padding too: it is sent as bytes */
    item->brick = *brick;
    item->fake = fake;
    item->size = first_image_size(cutting, item);
}

/* Both lists are sorted by name: one pass pairs the survey's own bricks with the simulation's runs of them.
 */
static void add_runs(const struct cutting *cutting, struct plan *plan, const struct brick *own,
                     size_t own_count, const struct brick *runs, size_t run_count)
{
    size_t r = 0;
    for (size_t i = 0; i < own_count; i++) {
        size_t before = plan->count;
        if (own[i].run[0])
            continue;
        while (r < run_count && strcmp(runs[r].name, own[i].name) < 0)
            r++;
        for (; r < run_count && strcmp(runs[r].name, own[i].name) == 0; r++) {
            if (runs[r].run[0])
                add_item(cutting, plan, &runs[r], true);
        }
        plan->orphans += plan->count == before;
    }
}

static int item_order(const void *a, const void *b)
{
    const struct item *left = a, *right = b;
    if (left->size != right->size)
        return left->size > right->size ? -1 : 1;
    if (left->fake != right->fake)
        return left->fake ? 1 : -1;
    int order = strcmp(left->brick.name, right->brick.name);
    return order ? order : strcmp(left->brick.run, right->brick.run);
}

static int list_items(const struct cutting *cutting, bool real, bool fake, const char *list,
                      struct plan *plan, struct err *err)
{
    CLEANUP(survey_close_ptr) struct survey *survey = NULL, *simulation = NULL;
    size_t own_count, run_count = 0;
    int code = survey_open(&survey, survey_directory(cutting->survey), list, err);
    if (!code && fake)
        code = survey_open(&simulation, survey_directory(cutting->simulation), NULL, err);
    if (code)
        return code;
    const struct brick *own = survey_bricks(survey, &own_count);
    const struct brick *runs = fake ? survey_bricks(simulation, &run_count) : NULL;
    plan->items = calloc(own_count + run_count + 1, sizeof *plan->items);
    if (!plan->items)
        return err_set(err, -ENOMEM, "out of memory for the list of bricks");
    for (size_t i = 0; real && i < own_count; i++) {
        if (!own[i].run[0])
            add_item(cutting, plan, &own[i], false);
    }
    if (real && !plan->count)
        return err_set(err, -ENOENT,
                       "%s has runs (rs0, ...) in all its bricks: it is a simulation, not a survey",
                       survey_directory(survey));
    size_t reals = plan->count;
    if (fake)
        add_runs(cutting, plan, own, own_count, runs, run_count);
    if (fake && plan->count == reals)
        return err_set(err, -ENOENT, "%s has no run (rs0, ...) of any brick of %s",
                       survey_directory(simulation), survey_directory(survey));
    qsort(plan->items, plan->count, sizeof *plan->items, item_order);
    return 0;
}

int cutting_plan(const struct cutting *cutting, bool real, bool fake, const char *list, struct item **items,
              size_t *count, size_t *orphans, struct err *err)
{
    struct team *team = cutting->job->team;
    struct plan plan = {0};
    struct {
        int code;
        size_t count, orphans;
        struct err err;
    } head = {0};
    if (team_rank(team) == 0) {
        head.code = list_items(cutting, real, fake, list, &plan, &head.err);
        head.count = plan.count;
        head.orphans = plan.orphans;
    }
    team_broadcast(team, &head, sizeof head, 0);
    if (head.code) {
        free(plan.items);
        return err_set(err, head.code, "%s", head.err.text);
    }
    if (!plan.items && !(plan.items = calloc(head.count, sizeof *plan.items)))
        return err_set(err, -ENOMEM, "out of memory for the list of bricks");
    team_broadcast(team, plan.items, head.count * sizeof *plan.items, 0);
    *items = plan.items;
    *count = head.count;
    *orphans = head.orphans;
    return 0;
}
