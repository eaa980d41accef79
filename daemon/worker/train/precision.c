/* See precision.h. */
#include "daemon/worker/train/precision.h"
#include "common/path.h"
#include "daemon/worker/net/network.h"
#include "daemon/worker/train/checkpoint.h"

#include <errno.h>
#include <string.h>

enum { F32, BF16, NONE };

static const char *const NAMES[] = {"f32", "bf16"};

/* Of the newest checkpoint that is whole. */
static int of_checkpoints(const char *directory)
{
    CLEANUP(free_ptr) int64_t *steps = NULL;
    struct err err = {0};
    size_t count = 0;
    int found = NONE;
    if (path_is_directory(directory) && checkpoint_list(directory, &steps, &count, &err) != 0)
        return NONE; /* said when they are read */
    for (size_t i = 0; i < count && found == NONE; i++) {
        CLEANUP(free_ptr) char *path = checkpoint_path(directory, steps[i]);
        json_t *attributes = NULL;
        if (checkpoint_verify(path, steps[i], &attributes, &err) == 0) {
            const char *name = json_string_value(json_object_get(attributes, "precision"));
            found = name && strcmp(name, NAMES[BF16]) == 0 ? BF16 : F32;
        }
        json_decref(attributes);
    }
    return found;
}

static int refuse(const char *asked, const char *checkpoints, bool begun, struct err *err)
{
    if (begun)
        return err_set(
            err, -EINVAL,
            "--precision %s: the training in %s began in bf16, which a processor of this job has not "
            "(avx512_bf16): go on where there is one, or give another --out",
            asked, checkpoints);
    return err_set(err, -EINVAL,
                   "--precision bf16: a processor of this job multiplies no bfloat16 (avx512_bf16): give "
                   "--precision f32, or auto");
}

int precision_choose(const char **chosen, const char *asked, const char *checkpoints, struct team *team,
                     struct err *err)
{
    bool lacking = team_any(team, !network_has_bf16()), automatic = strcmp(asked, "auto") == 0;
    int begun = automatic && team_rank(team) == 0 ? of_checkpoints(checkpoints) : NONE;
    int choice = strcmp(asked, NAMES[BF16]) == 0 ? BF16 : F32;
    team_broadcast(team, &begun, sizeof begun, 0);
    if (automatic)
        choice = begun != NONE ? begun : lacking ? F32 : BF16;
    *chosen = NAMES[choice];
    return choice == BF16 && lacking ? refuse(asked, checkpoints, begun == BF16, err) : 0;
}
