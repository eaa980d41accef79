/* Which bricks there are: the cutout files of a class in the order of the alphabet, those of one brick together. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/export/export.h"
#include "proto/spec.h"

#include <errno.h>
#include <string.h>

const char *item_class(const struct export_item *item)
{
    return item->fake ? "fake" : "real";
}

/* A class that nobody cut is no error as long as the other one is there. */
static int list_class(struct exporting *exporting, const json_t *manifest, int label, bool both,
                      struct err *err)
{
    const char *name = label ? "fake" : "real";
    CLEANUP(free_ptr) char *directory = path_join(exporting->cutouts, name);
    if (manifest)
        return listing_read(&exporting->listing[label], exporting->cutouts, manifest, name, err);
    if (both && path_is_directory(exporting->cutouts) && !path_is_directory(directory))
        return 0;
    return listing_walk_class(&exporting->listing[label], exporting->cutouts, name, listing_is_cutouts, err);
}

static int add_items(struct exporting *exporting, int label, struct err *err)
{
    const struct listing *listing = &exporting->listing[label];
    void *larger =
        realloc(exporting->items, (exporting->item_count + listing->count + 1) * sizeof *exporting->items);
    if (!larger)
        return err_set(err, -ENOMEM, "out of memory for %zu files", listing->count);
    exporting->items = larger;
    struct export_item *last = NULL;
    for (size_t i = 0; i < listing->count; i++) {
        CLEANUP(free_ptr) char *brick = listing_brick(listing->paths[i], label);
        if (last && strcmp(last->brick, brick) == 0) {
            last->count++;
            continue;
        }
        last = &exporting->items[exporting->item_count++];
        *last = (struct export_item){
            .fake = label, .brick = TAKE(brick), .paths = &listing->paths[i], .count = 1};
    }
    return 0;
}

int items_find(struct exporting *exporting, struct err *err)
{
    const char *which = spec_text(exporting->job->spec, "class");
    const bool both = strcmp(which, "both") == 0;
    json_t *manifest = NULL;
    int code = listing_manifest(exporting->cutouts, &manifest, err);
    for (int label = 0; label < 2 && !code; label++) {
        if (both || strcmp(which, label ? "fake" : "real") == 0)
            code = list_class(exporting, manifest, label, both, err);
        if (!code)
            code = add_items(exporting, label, err);
    }
    json_decref(manifest);
    if (!code && exporting->item_count == 0)
        code = err_set(err, -ENOENT, "there are no cutout files of class %s in %s",
                       both ? "real or fake" : which, exporting->cutouts);
    return code;
}

void items_free(struct exporting *exporting)
{
    for (size_t i = 0; i < exporting->item_count; i++)
        free(exporting->items[i].brick);
    free(exporting->items);
    for (int label = 0; label < 2; label++)
        listing_free(&exporting->listing[label]);
}
