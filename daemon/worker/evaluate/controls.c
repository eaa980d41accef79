#include "daemon/worker/evaluate/controls.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/evaluate/evaluation.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static const struct {
    const char *field;
    enum sight sight;
    bool sham;
    const char *name; /* for a person */
} CONTROLS[] = {
    {"image_control", SIGHT_IMAGE, false, "image channels alone"},
    {"invvar_control", SIGHT_INVVAR, false, "invvar channels alone"},
    {"background_control", SIGHT_BACKGROUND, false, "background alone, the middle hidden"},
    {"sham_control", SIGHT_ALL, true, "all, but labels drawn by lot"},
};
enum { CONTROL_COUNT = sizeof CONTROLS / sizeof *CONTROLS };

static bool has_text(const json_t *verdict, const char *key, const char *text)
{
    const char *found = json_string_value(json_object_get(verdict, key));
    return found && strcmp(found, text) == 0;
}

static int check(const json_t *verdict, enum sight sight, bool sham, uint64_t fingerprint, const char *part,
                 struct err *err)
{
    char dataset[32];
    snprintf(dataset, sizeof dataset, "%016" PRIx64, fingerprint);
    if (!json_is_object(json_object_get(verdict, "auc")))
        return err_set(err, -EINVAL, "it is not what an evaluate job writes");
    if (!has_text(verdict, "sees", sight_name(sight)))
        return err_set(err, -EINVAL, "its network was not trained with --sees %s", sight_name(sight));
    if (json_is_true(json_object_get(verdict, "sham")) != sham)
        return err_set(err, -EINVAL, "its network was trained %s --sham", sham ? "without" : "with");
    if (!has_text(verdict, "fingerprint", dataset) || !has_text(verdict, "part", part))
        return err_set(err, -EINVAL, "it is about another dataset or another part of it");
    return 0;
}

static int read_one(json_t *list, const char *directory, enum sight sight, bool sham, uint64_t fingerprint,
                    const char *part, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "verdict.json");
    json_t *verdict = NULL;
    int code = json_read_file(path, &verdict, err);
    if (code)
        return code;
    code = check(verdict, sight, sham, fingerprint, part, err);
    if (code)
        err_prefix(err, "%s", path);
    else if (json_array_append_new(list, json_pack("{ss sb sO sO sO}", "sees", sight_name(sight), "sham",
                                                   sham, "verdict", json_object_get(verdict, "verdict"), "n",
                                                   json_object_get(verdict, "n"), "auc",
                                                   json_object_get(verdict, "auc"))) != 0)
        code = err_set(err, -EINVAL, "%s lacks its verdict or its n", path);
    json_decref(verdict);
    return code;
}

int controls_read(json_t **out, const json_t *spec, uint64_t fingerprint, const char *part, struct err *err)
{
    int code = 0;
    *out = json_array();
    for (int i = 0; i < CONTROL_COUNT && !code; i++) {
        const char *directory = spec_text(spec, CONTROLS[i].field);
        if (directory)
            code = read_one(*out, directory, CONTROLS[i].sight, CONTROLS[i].sham, fingerprint, part, err);
    }
    return code;
}

static bool is_sham(const json_t *control)
{
    return json_is_true(json_object_get(control, "sham"));
}

static const char *name_of(const json_t *control)
{
    const char *sees = json_string_value(json_object_get(control, "sees"));
    for (int i = 0; i < CONTROL_COUNT; i++) {
        if (sees && strcmp(sees, sight_name(CONTROLS[i].sight)) == 0 && is_sham(control) == CONTROLS[i].sham)
            return CONTROLS[i].name;
    }
    return "";
}

static double number(const json_t *control, const char *key)
{
    return json_number_value(json_object_get(json_object_get(control, "auc"), key));
}

void controls_put(struct html *html, const json_t *controls)
{
    size_t i;
    json_t *control;
    json_array_foreach(controls, i, control)
        page_put_row(html, name_of(control), "AUC %.3f, 95 %% interval %.3f to %.3f on %lld examples: %s",
                     number(control, "value"), number(control, "low"), number(control, "high"),
                     (long long)json_integer_value(json_object_get(control, "n")),
                     json_string_value(json_object_get(control, "verdict")));
}

void controls_put_warnings(struct html *html, const json_t *controls)
{
    size_t i;
    json_t *control;
    json_array_foreach(controls, i, control)
    {
        if (!has_text(control, "verdict", "distinguishable") || has_text(control, "sees", "image"))
            continue;
        if (is_sham(control))
            html_element(html, "p", "warning",
                         "Labels drawn by lot were told apart, too (AUC %.3f): that must not be. Look at the "
                         "split, and do "
                         "not believe this verdict.",
                         number(control, "value"));
        else
            html_element(
                html, "p", "warning",
                "A network that saw the %s tells the classes apart (AUC %.3f): that is a flaw of the "
                "simulation or of the dataset, not of the galaxies.",
                name_of(control), number(control, "value"));
    }
}
