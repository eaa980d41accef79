/* See listing.h. Of cutouts.json only `files` is read: [{"path": relative to the root, "class"}, ...]. */
#include "daemon/worker/dataset/listing.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <fnmatch.h>
#include <fts.h>
#include <string.h>

void listing_free(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->paths[i]);
    free(listing->paths);
    memset(listing, 0, sizeof *listing);
}

/* Takes the path. */
static int listing_add(struct listing *listing, char *path, struct err *err)
{
    CLEANUP(free_ptr) char *owned = path;
    if (str_has_control(path)) /* it is to travel as JSON */
        return err_set(err, -EINVAL, "%s: the name holds a control character or is not UTF-8", path);
    if (listing->count == listing->room) {
        size_t room = listing->room ? 2 * listing->room : 64;
        char **larger = realloc(listing->paths, room * sizeof *larger);
        if (!larger)
            return err_set(err, -ENOMEM, "out of memory for %s", path);
        listing->paths = larger;
        listing->room = room;
    }
    listing->paths[listing->count++] = TAKE(owned);
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void listing_sort(struct listing *listing)
{
    if (listing->count)
        qsort(listing->paths, listing->count, sizeof *listing->paths, compare_texts);
}

int listing_manifest(const char *root, json_t **manifest, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(root, "cutouts.json");
    *manifest = NULL;
    if (!path_exists(path))
        return 0;
    int code = json_read_file(path, manifest, err);
    if (code || json_is_array(json_object_get(*manifest, "files")))
        return code;
    json_decref(TAKE(*manifest));
    return err_set(err, -EINVAL, "%s does not list its files", path);
}

/* Below the root, and nowhere else. */
static bool is_inside(const char *path)
{
    return path && *path && *path != '/' && strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0 &&
           !strstr(path, "/../");
}

int listing_read(struct listing *listing, const char *root, const json_t *manifest, const char *class_name,
                 struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(manifest, "files"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "path")),
                   *of = json_string_value(json_object_get(entry, "class"));
        if (!is_inside(name) || !of)
            return err_set(err, -EINVAL, "%s/cutouts.json: file %zu has no class or no path below it", root,
                           i);
        if (strcmp(of, class_name) != 0)
            continue;
        CLEANUP(free_ptr) char *path = path_join(root, name);
        if (!path_exists(path))
            return err_set(err, -ENOENT, "%s is missing, though cutouts.json names it: run cutouts again",
                           path);
        int code = listing_add(listing, TAKE(path), err);
        if (code)
            return code;
    }
    listing_sort(listing);
    return 0;
}

bool listing_is_cutouts(const char *name)
{
    return name[0] != '.' && fnmatch("?*.h5", name, 0) == 0;
}

int listing_walk(struct listing *listing, const char *directory, listing_accept *accept, struct err *err)
{
    if (!path_is_directory(directory))
        return err_set(err, -ENOENT, "there is no directory %s", directory);
    char *roots[] = {(char *)directory, NULL};
    FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    int code = tree ? 0 : err_set(err, -errno, "cannot read %s: %s", directory, strerror(errno));
    for (FTSENT *entry; !code && (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
            code = err_set(err, -entry->fts_errno, "cannot read %s: %s", entry->fts_path,
                           strerror(entry->fts_errno));
        else if (entry->fts_info == FTS_F && accept(entry->fts_name))
            code = listing_add(listing, str_format("%s", entry->fts_path), err);
    }
    if (tree)
        fts_close(tree);
    listing_sort(listing);
    return code;
}

int listing_walk_class(struct listing *listing, const char *root, const char *class_name,
                       listing_accept *accept, struct err *err)
{
    CLEANUP(free_ptr) char *directory = path_join(root, class_name);
    if (path_is_directory(root) && !path_is_directory(directory))
        return err_set(err, -ENOENT,
                       "%s has no directory %s: it is not the output of a cutouts job of both classes", root,
                       class_name);
    return listing_walk(listing, path_is_directory(root) ? directory : root, accept, err);
}

char *listing_brick(const char *path, bool fake)
{
    char *brick = str_format("%s", path_name(path));
    char *end = fake ? strrchr(brick, '-') : NULL;
    if (!end)
        end = strrchr(brick, '.');
    if (end)
        *end = '\0';
    return brick;
}
