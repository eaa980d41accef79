/* See tally.h. The counts are those of cutouts.json (daemon/worker/cutouts/manifest.h). */
#include "client/tally.h"
#include "client/print.h"
#include "common/str.h"

enum { CLASSES = 2 };

static const char *const CLASS_NAMES[CLASSES] = {"real", "fake"};

static const struct {
    const char *member; /* NULL: the cuts, a row each */
    const char *title;
} STEPS[] = {
    {"bricks", "  bricks"},
    {"quarantined", "  bricks left out as bad"},
    {"given", "  places given"},
    {"collided", "  drawn, but not injected: too near another"},
    {"injected", "  injected"},
    {"catalogued", "  in the catalogues"},
    {"merged", "  injected, found as one with a source that was there"},
    {"matched", "  injected and found"},
    {NULL, NULL},
    {"selected", "  selected"},
    {"edge", "  at the edge of a brick"},
    {"blank", "  no data in a band"},
    {"stamps", "  stamps"},
};

struct tally {
    struct table *table;
    json_t *classes[CLASSES]; /* those there are */
    size_t count;
};

/* "" where there is no number; fresh memory. */
static char *cell_of(const json_t *count)
{
    return json_is_number(count) ? str_format("%.0f", json_number_value(count)) : str_format("%s", "");
}

/* A row of a count a class, unless there is none. */
static void add_row(struct tally *tally, const char *title, json_t *const *counts)
{
    char *cells[CLASSES] = {NULL, NULL};
    bool any = false;
    for (size_t c = 0; c < tally->count; c++) {
        cells[c] = cell_of(counts[c]);
        any = any || *cells[c];
    }
    if (any)
        table_add(tally->table, (const char *[]){title, cells[0], cells[1]});
    for (size_t c = 0; c < tally->count; c++)
        free(cells[c]);
}

static void add_step(struct tally *tally, const char *title, const char *member)
{
    json_t *counts[CLASSES];
    for (size_t c = 0; c < tally->count; c++)
        counts[c] = json_object_get(tally->classes[c], member);
    add_row(tally, title, counts);
}

static void add_cuts(struct tally *tally)
{
    const json_t *longest = NULL, *list;
    for (size_t c = 0; c < tally->count; c++) {
        list = json_object_get(tally->classes[c], "cuts");
        longest = json_array_size(list) > json_array_size(longest) ? list : longest;
    }
    for (size_t i = 0; i < json_array_size(longest); i++) {
        const char *cut = json_string_value(json_object_get(json_array_get(longest, i), "cut"));
        CLEANUP(free_ptr) char *title = str_format("    %s", cut ? cut : "");
        json_t *left[CLASSES];
        for (size_t c = 0; c < tally->count; c++)
            left[c] = json_object_get(json_array_get(json_object_get(tally->classes[c], "cuts"), i), "left");
        add_row(tally, title, left);
    }
}

char *tally_format(const json_t *result, int width)
{
    struct table_column columns[1 + CLASSES] = {{"result", .flex = true}};
    struct tally tally = {0};
    for (int c = 0; c < CLASSES; c++) {
        json_t *counts = json_object_get(result, CLASS_NAMES[c]);
        if (!json_is_object(counts))
            continue;
        tally.classes[tally.count++] = counts;
        columns[tally.count] = (struct table_column){CLASS_NAMES[c], .right = true};
    }
    if (!tally.count)
        return NULL;
    CLEANUP(table_destroy_ptr) struct table *table = table_create(columns, 1 + tally.count);
    tally.table = table;
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        if (STEPS[i].member)
            add_step(&tally, STEPS[i].title, STEPS[i].member);
        else
            add_cuts(&tally);
    }
    return table_format(table, width);
}
