/* What a rank finds out about the files of stamps it looks at: all but their pixels. Files of a survey are alike in
 * most of it, so that is kept once for all files that share it, as a kind. */
#ifndef DECOY_SPLIT_LOOK_H
#define DECOY_SPLIT_LOOK_H

#include "common/err.h"
#include "daemon/worker/split/scan.h"

struct looks {
    json_t *
        kinds; /* [{"side", "channels", "edge": of _onedge files, "attributes": those that say how stamps were
                        made, "columns": [[name, enum cutout_type, width, unit], ...]}, ...] */
    json_t *numbers; /* {a kind's text: its index} */
    json_t *files;   /* [[number, kind, stamps, brick], ...] by number */
    json_t *failure; /* [number, code, sentence] of the file that could not be read, or null: the last that is
                        looked at */
    struct stamp_key *keys; /* of the stamps of all files */
    size_t key_count;
};

int looks_init(struct looks *looks);
void looks_free(struct looks *looks);

/* One more file, whose number is higher than those before. What is wrong with it becomes `failure`. */
void look_at(struct looks *looks, size_t number, const char *path, int label);

#endif
