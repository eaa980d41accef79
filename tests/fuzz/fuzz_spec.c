/* A job's spec: {"kind": ..., "fields": {...}} as a client sends it, and the text of a flag: what is no JSON
 * is given to every field of every kind. */
#include "common/cleanup.h"
#include "proto/json.h"
#include "proto/spec.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void parse_flags(const char *text)
{
    size_t count;
    const struct spec_kind *kinds = spec_kinds(&count);
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < kinds[k].count; i++) {
            json_t *value = NULL;
            struct err err = {0};
            if (spec_parse(&kinds[k].fields[i], text, &value, &err) == 0)
                fuzz_require(value != NULL, "a flag that is accepted has a value");
            else
                fuzz_require(err.text[0], "a refused flag has a sentence");
            json_decref(value);
        }
    }
}

static void resolve(const json_t *document)
{
    const char *name = json_string_value(json_object_get(document, "kind"));
    const struct spec_kind *kind = spec_kind_find(name ? name : "", NULL);
    json_t *resolved = NULL, *again = NULL;
    struct err err = {0};
    if (!kind)
        return;
    if (spec_resolve(kind, json_object_get(document, "fields"), &resolved, &err) != 0) {
        fuzz_require(err.text[0], "a refused spec has a sentence");
        return;
    }
    fuzz_require(json_object_size(resolved) == kind->count, "a resolved spec has every field");
    fuzz_require(spec_resolve(kind, resolved, &again, &err) == 0 && json_equal(resolved, again),
                 "what was resolved resolves to itself");
    json_decref(resolved);
    json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *document = NULL;
    if (json_parse_bytes((const char *)data, size, &document, NULL) == 0) {
        resolve(document);
        json_decref(document);
        return 0;
    }
    CLEANUP(free_ptr) char *text = strndup((const char *)data, size);
    parse_flags(text);
    return 0;
}
