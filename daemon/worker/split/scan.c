/* See scan.h. Rank 0 lists the files and tells their names to all; the ranks claim lots of them and look at each
 * (look.h); rank 0 merges what they found (scan_merge.h), in the order of the files. */
#include "daemon/worker/split/scan.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/listing.h"
#include "daemon/worker/split/look.h"
#include "daemon/worker/split/scan_merge.h"
#include "daemon/worker/split/stampfile.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>

enum { LOT = 16 }; /* files a claim */

const char *const CLASS_NAMES[CLASS_MAX] = {"real", "fake"};

/* On all ranks; `rank`, `kind`, ... of the files on rank 0 alone. */
struct scanning {
    struct team *team;
    struct link *link;
    struct scan_file *files;
    size_t count;
    struct looks looks; /* of this rank */
    json_t **theirs;    /* on rank 0, of each rank: {"kinds", "files", "failure"} */
};

static void scanning_free(struct scanning *scanning)
{
    for (size_t i = 0; i < scanning->count; i++)
        free(scanning->files[i].path);
    free(scanning->files);
    for (int rank = 0; scanning->theirs && rank < team_size(scanning->team); rank++)
        json_decref(scanning->theirs[rank]);
    free(scanning->theirs);
    looks_free(&scanning->looks);
}

/* A root that was given for one class alone need not have a directory of the class's name. */
static int walk_class(struct listing *listing, const char *root, const char *name, bool alone,
                      struct err *err)
{
    CLEANUP(free_ptr) char *directory = path_join(root, name);
    if (alone && !path_is_directory(directory))
        return listing_walk(listing, root, stampfile_is_name, err);
    return listing_walk_class(listing, root, name, stampfile_is_name, err);
}

/* Takes the listing's paths. */
static int add_files(struct scanning *scanning, struct listing *listing, int label)
{
    void *larger = realloc(scanning->files, (scanning->count + listing->count + 1) * sizeof *scanning->files);
    if (!larger)
        return -ENOMEM;
    scanning->files = larger;
    for (size_t i = 0; i < listing->count; i++)
        scanning->files[scanning->count++] =
            (struct scan_file){.path = TAKE(listing->paths[i]), .label = label, .rank = -1};
    return 0;
}

static int list_class(struct scanning *scanning, struct scan *scan, const struct scan_roots *roots, int label,
                      struct err *err)
{
    CLEANUP(listing_free) struct listing listing = {0};
    const char *root = roots->each[label] ? roots->each[label] : roots->both, *name = CLASS_NAMES[label];
    json_t *manifest = NULL;
    int code = listing_manifest(root, &manifest, err);
    if (!code)
        code = manifest ? listing_read(&listing, root, manifest, name, err)
                        : walk_class(&listing, root, name, roots->each[label] != NULL, err);
    json_t *counts = json_object_get(json_object_get(manifest, "classes"), name);
    if (counts && !scan->selection)
        scan->selection = json_object();
    if (counts)
        json_object_set(scan->selection, name, counts);
    json_decref(manifest);
    if (!code && add_files(scanning, &listing, label) != 0)
        code = err_set(err, -ENOMEM, "out of memory for %s", root);
    return code;
}

/* Labels and paths as lines: no path holds a control character (listing.c). */
static char *write_names(const struct scanning *scanning)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    for (size_t i = 0; stream && i < scanning->count; i++)
        fprintf(stream, "%d%s\n", scanning->files[i].label, scanning->files[i].path);
    if (stream)
        fclose(stream);
    return text;
}

static int read_names(struct scanning *scanning, size_t count, char *text)
{
    scanning->files = calloc(count + 1, sizeof *scanning->files);
    if (!scanning->files)
        return -ENOMEM;
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        scanning->files[scanning->count++] = (struct scan_file){
            .path = str_format("%.*s", (int)(end - line) - 1, line + 1), .label = *line - '0', .rank = -1};
    return 0;
}

/* Rank 0's list to all. */
static int share_names(struct scanning *scanning, struct err *err)
{
    struct team *team = scanning->team;
    const bool mine = team_rank(team) == 0;
    CLEANUP(free_ptr) char *text = mine ? write_names(scanning) : NULL;
    size_t head[] = {scanning->count, text ? strlen(text) + 1 : 0};
    team_broadcast(team, head, sizeof head, 0);
    if (!mine)
        text = calloc(head[1] + 1, 1);
    if (!text || !head[1]) /* the rank that fails ends the others */
        return err_set(err, -ENOMEM, "the names of %zu files do not fit in memory", head[0]);
    team_broadcast(team, text, head[1], 0);
    if (!mine && read_names(scanning, head[0], text) != 0)
        return err_set(err, -ENOMEM, "the names of %zu files do not fit in memory", head[0]);
    return 0;
}

/* Lots are claimed in order: whatever fails, all files before it are looked at by somebody. */
static void look_at_files(struct scanning *scanning)
{
    const long lots = (long)((scanning->count + LOT - 1) / LOT);
    double done = 0;
    for (long lot; (lot = team_claim(scanning->team, lots)) < lots;) {
        for (size_t i = (size_t)lot * LOT; i < scanning->count && i < (size_t)(lot + 1) * LOT; i++) {
            if (!json_is_null(scanning->looks.failure) || link_stop_asked(scanning->link))
                break;
            look_at(&scanning->looks, i, scanning->files[i].path, scanning->files[i].label);
            link_progress(scanning->link, ++done, (double)scanning->count, "files");
        }
    }
}

/* What all ranks found, but for the keys, to rank 0. */
static int gather_looks(struct scanning *scanning, struct err *err)
{
    struct team *team = scanning->team;
    const struct looks *looks = &scanning->looks;
    json_t *mine =
        json_pack("{sO sO sO}", "kinds", looks->kinds, "files", looks->files, "failure", looks->failure);
    CLEANUP(free_ptr) char *text = json_dumps(mine, JSON_COMPACT);
    CLEANUP(free_ptr) char **texts = NULL;
    json_decref(mine);
    int code = text ? team_gather_text(team, text, &texts) : -ENOMEM;
    if (code || team_rank(team) > 0)
        return code ? err_set(err, code, "out of memory for what the ranks found in the files") : 0;
    scanning->theirs = calloc((size_t)team_size(team), sizeof *scanning->theirs);
    for (int rank = 0; rank < team_size(team); rank++) {
        if (scanning->theirs && !code)
            code = json_parse_bytes(texts[rank], strlen(texts[rank]), &scanning->theirs[rank], err);
        free(texts[rank]);
    }
    return scanning->theirs ? code
                            : err_set(err, -ENOMEM, "out of memory for what the ranks found in the files");
}

/* Who looked at which file, and what it was. */
static void deal_out(struct scanning *scanning, int rank)
{
    const json_t *kinds = json_object_get(scanning->theirs[rank], "kinds");
    json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(scanning->theirs[rank], "files"), i, entry)
    {
        struct scan_file *file = &scanning->files[json_integer_value(json_array_get(entry, 0))];
        file->rank = rank;
        file->kind = json_array_get(kinds, (size_t)json_integer_value(json_array_get(entry, 1)));
        file->count = (size_t)json_integer_value(json_array_get(entry, 2));
        file->brick = json_string_value(json_array_get(entry, 3));
    }
}

/* Why nobody has looked at a file. */
static int tell_failure(const struct scanning *scanning, size_t number, struct err *err)
{
    for (int rank = 0; rank < team_size(scanning->team); rank++) {
        const json_t *failure = json_object_get(scanning->theirs[rank], "failure");
        if (json_is_array(failure) && (size_t)json_integer_value(json_array_get(failure, 0)) == number)
            return err_set(err, (int)json_integer_value(json_array_get(failure, 1)), "%s",
                           json_string_value(json_array_get(failure, 2)));
    }
    return err_set(err, -EPROTO, "no rank has looked at %s", scanning->files[number].path);
}

static int merge_files(struct scanning *scanning, struct scan *scan, struct err *err)
{
    scan->sources = calloc(scanning->count + 1, sizeof *scan->sources);
    if (!scan->sources)
        return err_set(err, -ENOMEM, "out of memory for %zu files", scanning->count);
    for (int rank = 0; rank < team_size(scanning->team); rank++)
        deal_out(scanning, rank);
    int code = 0;
    for (size_t i = 0; i < scanning->count && !code; i++)
        code = scanning->files[i].rank < 0 ? tell_failure(scanning, i, err)
                                           : scan_merge(scan, &scanning->files[i], err);
    rows_settle(&scan->rows);
    return code;
}

/* A rank's keys, which lie in the order of its files, to their places. */
static void place_keys(const struct scanning *scanning, struct scan *scan, int rank,
                       const struct stamp_key *keys)
{
    for (size_t i = 0; i < scanning->count; i++) {
        const struct scan_file *file = &scanning->files[i];
        if (file->rank != rank || !file->count)
            continue;
        if (file->source != NO_SOURCE)
            memcpy(scan->keys + scan->sources[file->source].first, keys, file->count * sizeof *keys);
        keys += file->count;
    }
}

/* The keys of all ranks to rank 0, one rank's after another's. */
static int gather_keys(struct scanning *scanning, struct scan *scan, struct err *err)
{
    struct team *team = scanning->team;
    struct looks *looks = &scanning->looks;
    if (team_rank(team) > 0) {
        team_send(team, &looks->key_count, sizeof looks->key_count, 0);
        team_send(team, looks->keys, looks->key_count * sizeof *looks->keys, 0);
        return 0;
    }
    scan->keys = calloc(scan->total + 1, sizeof *scan->keys);
    if (!scan->keys)
        return err_set(err, -ENOMEM, "the places of %zu stamps do not fit in memory", scan->total);
    place_keys(scanning, scan, 0, looks->keys);
    for (int rank = 1; rank < team_size(team); rank++) {
        size_t count;
        team_receive(team, &count, sizeof count, rank);
        struct stamp_key *larger = realloc(looks->keys, (count + 1) * sizeof *larger);
        if (!larger)
            return err_set(err, -ENOMEM, "the places of %zu stamps do not fit in memory", scan->total);
        looks->keys = larger;
        team_receive(team, looks->keys, count * sizeof *looks->keys, rank);
        place_keys(scanning, scan, rank, looks->keys);
    }
    return 0;
}

static int scan_all(struct scanning *scanning, struct scan *scan, const struct scan_roots *roots,
                    struct err *err)
{
    const bool first = team_rank(scanning->team) == 0;
    int code = looks_init(&scanning->looks) != 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
    for (int label = 0; label < CLASS_MAX && first && !code; label++)
        code = list_class(scanning, scan, roots, label, err);
    if (!code)
        code = share_names(scanning, err);
    if (code)
        return code;
    look_at_files(scanning);
    if (team_any(scanning->team, link_stop_asked(scanning->link)))
        return -ECANCELED;
    team_claim_reset(scanning->team);
    code = gather_looks(scanning, err);
    if (!code && first)
        code = merge_files(scanning, scan, err);
    return code ? code : gather_keys(scanning, scan, err);
}

int scan_cutouts(struct scan *scan, const struct scan_roots *roots, struct team *team, struct link *link,
                 struct err *err)
{
    CLEANUP(scanning_free) struct scanning scanning = {.team = team, .link = link};
    memset(scan, 0, sizeof *scan);
    scan->provenance = json_pack("{s{} s{}}", CLASS_NAMES[CLASS_REAL], CLASS_NAMES[CLASS_FAKE]);
    scan->brick_index = json_object();
    int code = scan_all(&scanning, scan, roots, err);
    if (code)
        scan_free(scan);
    return code;
}

size_t scan_source_of(const struct scan *scan, size_t stamp)
{
    size_t low = 0, high = scan->source_count; /* sources[low].first <= stamp < sources[high].first */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        *(scan->sources[middle].first <= stamp ? &low : &high) = middle;
    }
    return low;
}

void scan_free(struct scan *scan)
{
    for (size_t i = 0; i < scan->source_count; i++)
        free(scan->sources[i].path);
    for (size_t i = 0; i < scan->brick_count; i++)
        free(scan->bricks[i]);
    free(scan->sources);
    free(scan->bricks);
    free(scan->keys);
    rows_free(&scan->rows);
    json_decref(scan->brick_index);
    json_decref(scan->channels);
    json_decref(scan->provenance);
    json_decref(scan->selection);
    memset(scan, 0, sizeof *scan);
}
