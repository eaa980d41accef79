/* See items.h. */
#include "daemon/worker/cutouts/items.h"
#include "common/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct found {
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

static void add_item(const struct cutting *cutting, struct found *found, const struct brick *brick, bool fake)
{
    struct item *item = &found->items[found->count++];
    memset(item, 0, sizeof *item); /* its padding too: it is sent as bytes */
    item->brick = *brick;
    item->fake = fake;
    item->size = first_image_size(cutting, item);
}

/* Both lists are sorted by name: one pass pairs the survey's own bricks with the simulation's runs of them.
 */
static void add_runs(const struct cutting *cutting, struct found *found, const struct brick *own,
                     size_t own_count, const struct brick *runs, size_t run_count)
{
    size_t r = 0;
    for (size_t i = 0; i < own_count; i++) {
        size_t before = found->count;
        if (own[i].run[0])
            continue;
        while (r < run_count && strcmp(runs[r].name, own[i].name) < 0)
            r++;
        for (; r < run_count && strcmp(runs[r].name, own[i].name) == 0; r++) {
            if (runs[r].run[0])
                add_item(cutting, found, &runs[r], true);
        }
        found->orphans += found->count == before;
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
                      struct found *found, struct err *err)
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
    found->items = calloc(own_count + run_count + 1, sizeof *found->items);
    if (!found->items)
        return err_set(err, -ENOMEM, "out of memory for the list of bricks");
    for (size_t i = 0; real && i < own_count; i++) {
        if (!own[i].run[0])
            add_item(cutting, found, &own[i], false);
    }
    if (real && !found->count)
        return err_set(err, -ENOENT,
                       "%s has runs (rs0, ...) in all its bricks: it is a simulation, not a survey",
                       survey_directory(survey));
    size_t reals = found->count;
    if (fake)
        add_runs(cutting, found, own, own_count, runs, run_count);
    if (fake && found->count == reals)
        return err_set(err, -ENOENT, "%s has no run (rs0, ...) of any brick of %s",
                       survey_directory(simulation), survey_directory(survey));
    qsort(found->items, found->count, sizeof *found->items, item_order);
    return 0;
}

int items_make(const struct cutting *cutting, bool real, bool fake, const char *list, struct item **items,
               size_t *count, size_t *orphans, struct err *err)
{
    struct team *team = cutting->job->team;
    struct found found = {0};
    struct {
        int code;
        size_t count, orphans;
        struct err err;
    } head = {0};
    if (team_rank(team) == 0) {
        head.code = list_items(cutting, real, fake, list, &found, &head.err);
        head.count = found.count;
        head.orphans = found.orphans;
    }
    team_broadcast(team, &head, sizeof head, 0);
    if (head.code) {
        free(found.items);
        return err_set(err, head.code, "%s", head.err.text);
    }
    if (!found.items && !(found.items = calloc(head.count, sizeof *found.items)))
        return err_set(err, -ENOMEM, "out of memory for the list of bricks");
    team_broadcast(team, found.items, head.count * sizeof *found.items, 0);
    *items = found.items;
    *count = head.count;
    *orphans = head.orphans;
    return 0;
}
