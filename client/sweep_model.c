/* See sweep.h: a model file with some keys of its layers changed. Which keys and values make a network is the worker's to say
 * (`decoy model show`); `repeat` alone is the sweep's own. */
#include "client/sweep.h"
#include "common/str.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

enum { REPEAT_MOST = 100 };

static const char REPEAT[] = "repeat", MARK[] = "\1repeat"; /* how often, until layers are written out */

/* One key of all layers whose names match; layers are counted by kind, those of residual blocks too. */
struct change {
    const char *pattern, *key;
    json_t *value;
    json_t *counts; /* {kind: n} */
    FILE *names;    /* of all layers */
    int matched;
};

static void change_layers(struct change *change, json_t *layers)
{
    json_t *layer;
    size_t i;
    json_array_foreach(layers, i, layer)
    {
        const char *kind = json_string_value(json_object_get(layer, "kind"));
        if (!kind)
            continue;
        json_int_t number = 1 + json_integer_value(json_object_get(change->counts, kind));
        CLEANUP(free_ptr) char *name = str_format("%s%lld", kind, (long long)number);
        json_object_set_new(change->counts, kind, json_integer(number));
        fprintf(change->names, " %s", name);
        if (fnmatch(change->pattern, name, 0) == 0) {
            json_object_set(layer, strcmp(change->key, REPEAT) == 0 ? MARK : change->key, change->value);
            change->matched++;
        }
        change_layers(change, json_object_get(layer, "layers"));
    }
}

static int check_repeat(const json_t *value, struct err *err)
{
    json_int_t times = json_integer_value(value);
    return json_is_integer(value) && times >= 0 && times <= REPEAT_MOST
               ? 0
               : err_set(err, -EINVAL, "repeat must be a whole number of 0 to %d", REPEAT_MOST);
}

/* name: "conv*.kernel". */
static int change_key(json_t *model, const char *name, json_t *value, struct err *err)
{
    const char *dot = strrchr(name, '.');
    CLEANUP(free_ptr) char *pattern = strndup(name, (size_t)(dot - name));
    CLEANUP(free_ptr) char *names = NULL;
    size_t size;
    struct change change = {.pattern = pattern,
                            .key = dot + 1,
                            .value = value,
                            .counts = json_object(),
                            .names = open_memstream(&names, &size)};
    if (!change.names)
        abort();
    change_layers(&change, json_object_get(model, "layers"));
    fclose(change.names);
    json_decref(change.counts);
    if (!change.matched)
        return err_set(err, -EINVAL, "the model has no layer %.60s, but%.400s", pattern, names);
    return strcmp(change.key, REPEAT) == 0 ? check_repeat(value, err) : 0;
}

/* The layers as often as their marks say. */
static json_t *write_out(const json_t *layers)
{
    json_t *written = json_array(), *layer;
    size_t i;
    json_array_foreach((json_t *)layers, i, layer)
    {
        const json_t *mark = json_object_get(layer, MARK);
        json_int_t times = mark ? json_integer_value(mark) : 1;
        json_t *inner = json_object_get(layer, "layers");
        if (mark)
            json_object_del(layer, MARK);
        if (json_is_array(inner))
            json_object_set_new(layer, "layers", write_out(inner));
        for (; times > 0; times--)
            json_array_append_new(written, json_deep_copy(layer));
    }
    return written;
}

int sweep_model(const struct sweep *sweep, const json_t *file, const json_t *values, json_t **model,
                struct err *err)
{
    json_t *made = json_deep_copy(file), *value;
    int code = 0;
    for (size_t v = 0; !code && v < sweep->vary_count; v++) {
        const char *name = sweep->vary[v].name;
        value = sweep->vary[v].field ? NULL : json_object_get(values, name);
        if (!value)
            continue;
        code = change_key(made, name, value, err);
        CLEANUP(free_ptr) char *place = str_format("vary/%s", name);
        if (code)
            sweep_blame(sweep, place, err);
    }
    if (!code && json_is_array(json_object_get(made, "layers")))
        json_object_set_new(made, "layers", write_out(json_object_get(made, "layers")));
    if (code)
        json_decref(made);
    else
        *model = made;
    return code;
}
