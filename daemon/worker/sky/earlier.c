/* See earlier.h. */
#include "daemon/worker/sky/earlier.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <fts.h>
#include <string.h>

static char *key_of(const struct brick *brick)
{
    return str_format("%s %s", brick->name, brick->run);
}

static json_t *index_bricks(const struct brick *bricks, long count)
{
    json_t *index = json_object();
    for (long i = 0; i < count; i++) {
        CLEANUP(free_ptr) char *key = key_of(&bricks[i]);
        json_object_set_new(index, key, json_true());
    }
    return index;
}

static int check_bricks(const char *out, const struct brick *bricks, long count, struct err *err)
{
    CLEANUP(survey_close_ptr) struct survey *present = NULL;
    CLEANUP(free_ptr) char *coadd = path_join(out, "coadd");
    size_t present_count = 0;
    int code = 0;
    if (!path_exists(coadd) || survey_open(&present, out, NULL) != 0)
        return 0;
    json_t *ours = index_bricks(bricks, count);
    const struct brick *there = survey_bricks(present, &present_count);
    for (size_t i = 0; i < present_count && !code; i++) {
        CLEANUP(free_ptr) char *key = key_of(&there[i]);
        if (!json_object_get(ours, key))
            code = err_set(
                err, -EEXIST,
                "%s already holds brick %s%s%s, which this job would not make; give another directory as out",
                out, there[i].name, there[i].run[0] ? " " : "", there[i].run);
    }
    json_decref(ours);
    return code;
}

/* The first receipt there is, in fresh memory; NULL without one. */
static char *find_receipt(const char *out)
{
    CLEANUP(free_ptr) char *receipts = path_join(out, "receipts");
    char *roots[] = {receipts, NULL}, *found = NULL;
    FTS *tree = path_exists(receipts) ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
    for (FTSENT *entry; tree && !found && (entry = fts_read(tree)) != NULL;) {
        const char *end = strrchr(entry->fts_name, '.');
        if (entry->fts_info == FTS_F && entry->fts_name[0] != '.' && end && strcmp(end, ".json") == 0)
            found = str_format("%s", entry->fts_path);
    }
    if (tree)
        fts_close(tree);
    return found;
}

static char *value_text(const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(10));
    return text ? text : str_format("not given");
}

static int compare_origin(const char *out, const json_t *was, const json_t *is, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)is, key, value)
    {
        const json_t *before = json_object_get(was, key);
        if (json_equal(before, value))
            continue;
        CLEANUP(free_ptr) char *old = value_text(before);
        CLEANUP(free_ptr) char *new = value_text(value);
        return err_set(err, -EEXIST,
                       "%s was made with another %s: %.200s, not %.200s; give another directory as out, or "
                       "move it away",
                       out, key, old, new);
    }
    return 0;
}

int earlier_check(const char *out, const struct brick *bricks, long count, const json_t *made_from,
                  struct err *err)
{
    CLEANUP(free_ptr) char *path = find_receipt(out);
    json_t *receipt = NULL;
    int code = 0;
    if (path && json_read_file(path, &receipt, NULL) == 0)
        code = compare_origin(out, json_object_get(receipt, "made_from"), made_from, err);
    json_decref(receipt);
    return code ? code : check_bricks(out, bricks, count, err);
}
