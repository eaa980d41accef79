/* See items.h. A rank tells rank 0 what it found as text: a line "own orphans code sentence", then one an
 * item, "name run fake size", where "-" is no run. */
#include "daemon/worker/cutouts/items.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "daemon/worker/cutouts/places.h"
#include "daemon/worker/sky/brick_names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* What one rank found, or all of them did. */
struct found {
    struct item *items;
    size_t count, room, own, orphans;
};

static int add_item(struct found *found, const struct brick *brick, bool fake, int64_t size, struct err *err)
{
    if (found->count == found->room) {
        size_t room = found->room ? 2 * found->room : 256;
        struct item *grown = realloc(found->items, room * sizeof *grown);
        if (!grown)
            return err_set(err, -ENOMEM, "out of memory for the list of bricks");
        found->items = grown;
        found->room = room;
    }
    struct item *item = &found->items[found->count++];
    memset(item, 0, sizeof *item); /* its padding too: it is sent as bytes */
    item->brick = *brick;
    item->fake = fake;
    item->size = size;
    return 0;
}

/* With the size of its first image. Of a user's catalogues there need not be one for every brick. */
static int look_up_item(const struct cutting *cutting, struct found *found, const struct brick *brick,
                        bool fake, struct err *err)
{
    const struct item item = {.brick = *brick, .fake = fake};
    CLEANUP(free_ptr) char *places = NULL;
    if (cutting->places && places_find(cutting->places, brick, &places, NULL) != 0)
        return 0;
    const struct survey *survey = item_survey(cutting, &item);
    return add_item(found, brick, fake, survey_plane_size(survey, brick, "image", cutting->bands[0]), err);
}

/* Both lists are sorted by name: one pass pairs the survey's own bricks with the simulation's runs of them.
 */
static int add_runs(const struct cutting *cutting, struct found *found, const struct brick *own,
                    size_t own_count, const struct brick *runs, size_t run_count, struct err *err)
{
    size_t r = 0;
    int code = 0;
    for (size_t i = 0; i < own_count && !code; i++) {
        size_t before = found->count;
        while (r < run_count && strcmp(runs[r].name, own[i].name) < 0)
            r++;
        for (; r < run_count && strcmp(runs[r].name, own[i].name) == 0 && !code; r++)
            code = look_up_item(cutting, found, &runs[r], true, err);
        found->orphans += found->count == before;
    }
    return code;
}

/* The groups of this rank: their names in its list, if there is one, must be there. */
static int check_named(const struct survey *survey, const struct brick_names *names, const char *list,
                       const char *group, const struct brick_names *own, struct err *err)
{
    for (size_t i = 0; names && i < names->count; i++) {
        const char *name = names->bricks[i].name;
        if (strncmp(name, group, GROUP_NAME_MAX - 1) == 0 && !brick_names_have(own, name))
            return err_set(err, -ENOENT, "%s:%d: brick %s is not in %s/coadd", list, names->lines[i], name,
                           survey_directory(survey));
    }
    return 0;
}

static int not_a_survey(const struct survey *survey, struct err *err)
{
    return err_set(err, -EINVAL, "%s has runs (rs0, ...): it is a simulation, not a survey",
                   survey_directory(survey));
}

/* One group, in surveys that are opened for it alone. */
static int list_group(const struct cutting *cutting, bool real, bool fake, const char *list,
                      const struct brick_names *names, const char *group, struct found *found,
                      struct err *err)
{
    CLEANUP(survey_close_ptr) struct survey *survey = NULL, *simulation = NULL;
    struct brick_names own = {0};
    int code = survey_open_unlisted(&survey, survey_directory(cutting->survey), err);
    if (!code)
        code = survey_scan(survey, group, SURVEY_OWN, names, err);
    if (code)
        return code;
    own.bricks = survey_bricks(survey, &own.count);
    code = check_named(survey, names, list, group, &own, err);
    if (!code && own.count && survey_is_simulated(survey, &own.bricks[0]))
        code = not_a_survey(survey, err);
    found->own += own.count;
    bool own_fakes = fake && !cutting->simulation;
    size_t before = found->count;
    for (size_t i = 0; (real || own_fakes) && i < own.count && !code; i++)
        code = look_up_item(cutting, found, &own.bricks[i], own_fakes, err);
    if (cutting->places && !cutting->simulation)
        found->orphans += own.count - (found->count - before);
    if (code || !cutting->simulation)
        return code;
    size_t run_count;
    code = survey_open_unlisted(&simulation, survey_directory(cutting->simulation), err);
    if (!code)
        code = survey_scan(simulation, group, SURVEY_RUNS, &own, err);
    const struct brick *runs = code ? NULL : survey_bricks(simulation, &run_count);
    return code ? code : add_runs(cutting, found, own.bricks, own.count, runs, run_count, err);
}

/* The groups whose turn is this rank's. */
static int list_share(const struct cutting *cutting, bool real, bool fake, const char *list,
                      struct found *found, struct err *err)
{
    const struct team *team = cutting->job->team;
    CLEANUP(brick_names_free) struct brick_names names = {0};
    CLEANUP(free_ptr) char(*groups)[GROUP_NAME_MAX] = NULL;
    size_t count = 0;
    int code = list ? brick_names_read(&names, list, err) : 0;
    if (!code && survey_is_simulated(cutting->survey, NULL))
        code = not_a_survey(cutting->survey, err);
    if (!code)
        code = survey_groups(cutting->survey, list ? &names : NULL, &groups, &count, err);
    for (size_t g = (size_t)team_rank(team); g < count && !code; g += (size_t)team_size(team))
        code = list_group(cutting, real, fake, list, list ? &names : NULL, groups[g], found, err);
    return code;
}

/* Fresh memory. */
static char *write_found(const struct found *found, const struct err *failure)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    fprintf(stream, "%zu %zu %d %s\n", found->own, found->orphans, failure->code, failure->text);
    for (size_t i = 0; i < found->count; i++) {
        const struct item *item = &found->items[i];
        fprintf(stream, "%s %s %d %" PRId64 "\n", item->brick.name,
                item->brick.run[0] ? item->brick.run : "-", item->fake, item->size);
    }
    fclose(stream);
    return text;
}

static int read_item(struct found *found, const char *line, struct err *err)
{
    struct brick brick = {0};
    int fake;
    int64_t size;
    if (sscanf(line, "%15s %47s %d %" SCNd64, brick.name, brick.run, &fake, &size) != 4)
        return err_set(err, -EPROTO, "a rank told rank 0 of a brick as \"%.60s\"", line);
    if (strcmp(brick.run, "-") == 0)
        memset(brick.run, 0, sizeof brick.run);
    return add_item(found, &brick, fake != 0, size, err);
}

/* Adds what a rank found; its failure is the job's. */
static int merge_found(struct found *found, const char *text, struct err *err)
{
    size_t own, orphans;
    int failure, words = 0;
    if (sscanf(text, "%zu %zu %d %n", &own, &orphans, &failure, &words) != 3)
        return err_set(err, -EPROTO, "a rank told rank 0 of its bricks as \"%.60s\"", text);
    const char *at = strchr(text, '\n');
    if (failure)
        return err_set(err, failure, "%.*s", (int)strcspn(text + words, "\n"), text + words);
    found->own += own;
    found->orphans += orphans;
    int code = 0;
    while (!code && at && at[1]) {
        code = read_item(found, at + 1, err);
        at = strchr(at + 1, '\n');
    }
    return code;
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

/* A run of legacysim's, given for all of them, looks like a survey. */
static int no_runs(const char *simulation, const char *survey, struct err *err)
{
    CLEANUP(free_ptr) char *truths = path_join(simulation, "sim");
    CLEANUP(free_ptr) char *above = path_directory(simulation);
    if (path_is_directory(truths))
        return err_set(err, -ENOENT, "%s is one run of a simulation; give the directory of its runs, %s",
                       simulation, above);
    return err_set(err, -ENOENT, "%s has no run (rs0, ...) of any brick of %s", simulation, survey);
}

static int check_all(const struct cutting *cutting, bool fake, const struct found *all, struct err *err)
{
    size_t fakes = 0;
    for (size_t i = 0; i < all->count; i++)
        fakes += all->items[i].fake;
    if (!all->own)
        return err_set(err, -ENOENT, "%s has no brick: no folder like 135/1350m000 in its coadd",
                       survey_directory(cutting->survey));
    if (cutting->places && !all->count)
        return err_set(err, -ENOENT, "%s has no BRICK.fits of any brick of %s", cutting->places,
                       survey_directory(cutting->survey));
    if (fake && !fakes)
        return no_runs(survey_directory(cutting->simulation), survey_directory(cutting->survey), err);
    return 0;
}

/* On rank 0, with the texts of all. */
static int merge_all(const struct cutting *cutting, bool fake, char *const *texts, struct found *all,
                     struct err *err)
{
    int code = 0;
    for (int rank = 0; rank < team_size(cutting->job->team) && !code; rank++)
        code = merge_found(all, texts[rank], err);
    if (!code)
        code = check_all(cutting, fake, all, err);
    if (!code)
        qsort(all->items, all->count, sizeof *all->items, item_order);
    return code;
}

static int gather_found(const struct cutting *cutting, bool fake, const char *mine, struct found *all,
                        struct err *err)
{
    struct team *team = cutting->job->team;
    char **texts = NULL;
    int code = team_gather_text(team, mine, &texts);
    if (code)
        return err_set(err, code, "out of memory for the list of bricks");
    if (!texts)
        return 0;
    code = merge_all(cutting, fake, texts, all, err);
    for (int rank = 0; rank < team_size(team); rank++)
        free(texts[rank]);
    free(texts);
    return code;
}

/* Rank 0's list to every rank. */
static int share_out(struct team *team, struct found *all, int code, struct err *err)
{
    struct {
        int code;
        size_t count, orphans;
        struct err err;
    } head = {code, all->count, all->orphans, *err};
    team_broadcast(team, &head, sizeof head, 0);
    if (head.code)
        return err_set(err, head.code, "%s", head.err.text);
    if (team_rank(team) > 0 && !(all->items = calloc(head.count + 1, sizeof *all->items)))
        return err_set(err, -ENOMEM, "out of memory for the list of bricks");
    team_broadcast(team, all->items, head.count * sizeof *all->items, 0);
    all->count = head.count;
    all->orphans = head.orphans;
    return 0;
}

int items_make(const struct cutting *cutting, bool real, bool fake, const char *list, struct item **items,
               size_t *count, size_t *orphans, struct err *err)
{
    struct found mine = {0}, all = {0};
    struct err failure = {0};
    list_share(cutting, real, fake, list, &mine, &failure);
    CLEANUP(free_ptr) char *text = write_found(&mine, &failure);
    free(mine.items);
    memset(&failure, 0, sizeof failure);
    int code = gather_found(cutting, fake, text, &all, &failure);
    code = share_out(cutting->job->team, &all, code, &failure);
    if (code) {
        free(all.items);
        return err_set(err, code, "%s", failure.text);
    }
    *items = all.items;
    *count = all.count;
    *orphans = all.orphans;
    return 0;
}
