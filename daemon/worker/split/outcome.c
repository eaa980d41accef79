/* See outcome.h. */
#include "daemon/worker/split/outcome.h"
#include "common/file.h"
#include "common/path.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static json_t *describe_part(const struct outcome *outcome, int part)
{
    const struct plan *plan = outcome->plan;
    json_t *bricks = json_array();
    for (size_t b = 0; b < outcome->scan->brick_count; b++) {
        if (outcome->parts->bricks[b] & 1u << part)
            json_array_append_new(bricks, json_string(outcome->scan->bricks[b]));
    }
    json_t *entry =
        json_pack("{sI sI sI s{sI sI} so}", "examples", (json_int_t)plan->counts[part], "real",
                  (json_int_t)plan->kept[part][CLASS_REAL], "fake", (json_int_t)plan->kept[part][CLASS_FAKE],
                  "dropped", "real", (json_int_t)plan->dropped[part][CLASS_REAL], "fake",
                  (json_int_t)plan->dropped[part][CLASS_FAKE], "bricks", bricks);
    if (outcome->parts->group_noun)
        json_object_set_new(entry, outcome->parts->group_noun,
                            json_integer((json_int_t)outcome->parts->groups[part]));
    return entry;
}

static json_t *describe_parts(const struct outcome *outcome)
{
    json_t *parts = json_object();
    for (int part = 0; part < DATASET_PART_MAX; part++)
        json_object_set_new(parts, dataset_part_name((enum dataset_part)part), describe_part(outcome, part));
    return parts;
}

static int describe_index(const char *directory, json_t **entry, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "index.h5");
    struct stat status;
    uint64_t checksum;
    int code = file_checksum(path, &checksum, err);
    if (code)
        return code;
    if (stat(path, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)checksum);
    *entry = json_pack("{sI ss}", "bytes", (json_int_t)status.st_size, "xxh3", digits);
    return 0;
}

int outcome_publish(const struct outcome *outcome, struct err *err)
{
    const json_t *spec = outcome->spec;
    const struct plan *plan = outcome->plan;
    const struct scan *scan = outcome->scan;
    CLEANUP(free_ptr) char *path = path_join(outcome->out, "manifest.json");
    json_t *index = NULL;
    int code = describe_index(outcome->out, &index, err);
    if (code)
        return code;
    json_t *manifest = json_pack(
        "{si ss sI ss ss ss s[ss] ss ss si sI sO s{sf sf} so sI sI sO sO sO* sO so}", "v", 1, "decoy",
        DECOY_VERSION, "seed", (json_int_t)spec_int(spec, "seed"), "by", spec_text(spec, "by"), "rule",
        outcome->parts->rule, "counts", spec_text(spec, "classes"), "classes", CLASS_NAMES[CLASS_REAL],
        CLASS_NAMES[CLASS_FAKE], "format", spec_text(spec, "format"), "axes",
        strcmp(spec_text(spec, "orientation"), "dplearn") == 0 ? "xy" : "yx", "stamp", plan->stamp,
        "shard_examples", (json_int_t)plan->shard_examples, "channels", scan->channels, "fractions", "test",
        spec_real(spec, "test"), "valid", spec_real(spec, "valid"), "parts", describe_parts(outcome),
        "left_out", (json_int_t)(outcome->parts->left_out + outcome->parts->copies + scan->left_out),
        "copies", (json_int_t)outcome->parts->copies, "normalisation", outcome->normalisation, "provenance",
        scan->provenance, "selection", scan->selection, "shards", outcome->shards, "index", index);
    code = manifest ? json_publish_file(path, manifest, err)
                    : err_set(err, -ENOMEM, "out of memory for %s", path);
    json_decref(manifest);
    return code;
}

static json_int_t shard_bytes(const json_t *shards)
{
    json_int_t bytes = 0;
    size_t i;
    json_t *shard;
    json_array_foreach((json_t *)shards, i, shard)
    {
        bytes += json_integer_value(json_object_get(json_object_get(shard, "x"), "bytes"));
        bytes += json_integer_value(json_object_get(json_object_get(shard, "y"), "bytes"));
    }
    return bytes;
}

json_t *outcome_result(const struct outcome *outcome)
{
    const json_t *spec = outcome->spec;
    json_t *parts = describe_parts(outcome), *part;
    const char *name;
    json_object_foreach(parts, name, part)
    {
        size_t bricks = json_array_size(json_object_get(part, "bricks"));
        json_object_set_new(part, "bricks", json_integer((json_int_t)bricks));
    }
    return json_pack(
        "{ss ss sI so sI sI sI sI sI sI si sO}", "rule", outcome->parts->rule, "counts",
        spec_text(spec, "classes"), "seed", (json_int_t)spec_int(spec, "seed"), "parts", parts, "examples",
        (json_int_t)outcome->plan->total, "stamps", (json_int_t)outcome->scan->total, "left_out",
        (json_int_t)(outcome->parts->left_out + outcome->parts->copies + outcome->scan->left_out), "copies",
        (json_int_t)outcome->parts->copies, "shards", (json_int_t)json_array_size(outcome->shards), "bytes",
        shard_bytes(outcome->shards), "stamp", outcome->plan->stamp, "channels", outcome->scan->channels);
}
