/* One brick cut as a cutouts job cuts it, and what that cost: the report of cut_brick with the seconds of
 * each phase, and the process's largest memory.
 * cutouts_phases SURVEY BRICK OUT   prints a line of JSON. */
#include "common/preset.h"
#include "daemon/worker/cutouts/cut_brick.h"

#include <stdio.h>
#include <sys/resource.h>

static int cut(const char *directory, const char *brick, const char *out, json_t **report, struct err *err)
{
    struct job job = {0};
    struct cutting cutting = {.job = &job, .out = out, .bands = "grz", .stamp_px = 64};
    struct item item = {0};
    CLEANUP(free_ptr) char *path = NULL;
    bool fatal;
    snprintf(item.brick.name, sizeof item.brick.name, "%s", brick);
    int code = preset_find("cuts", "none", &path, err);
    if (!code)
        code = cuts_open(&cutting.cuts, path, err);
    if (!code)
        code = survey_open_unlisted(&cutting.survey, directory, err);
    if (!code)
        code = cut_brick(&cutting, &item, report, &fatal, err);
    cuts_close(cutting.cuts);
    survey_close(cutting.survey);
    return code;
}

int main(int count, char **words)
{
    struct err err = {0};
    struct rusage usage;
    json_t *report = NULL;
    if (count != 4 || cut(words[1], words[2], words[3], &report, &err) != 0) {
        fprintf(stderr, "%s\n", count == 4 ? err.text : "usage: cutouts_phases SURVEY BRICK OUT");
        return 1;
    }
    getrusage(RUSAGE_SELF, &usage);
    json_object_set_new(report, "peak_kib", json_integer(usage.ru_maxrss));
    json_dumpf(report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(report);
    return 0;
}
