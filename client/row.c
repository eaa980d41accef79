/* See row.h. */
#include "client/row.h"
#include "common/str.h"

#include <string.h>

static const struct {
    const char *state;
    bool ended;
    enum print_color color;
} STATES[] = {
    {"held", false, COLOR_FAINT},     {"waiting", false, COLOR_FAINT}, {"ready", false, COLOR_NONE},
    {"running", false, COLOR_BUSY},   {"succeeded", true, COLOR_GOOD}, {"failed", true, COLOR_BAD},
    {"cancelled", true, COLOR_FAINT}, {"skipped", true, COLOR_FAINT},
};

enum { LABEL_LEAST = 14, LABEL_MOST = 40, BAR_LEAST = 6, BAR_MOST = 30 };

const char *row_text(const json_t *row, const char *member)
{
    const char *text = json_string_value(json_object_get(row, member));
    return text ? text : "";
}

long row_id(const json_t *row)
{
    return (long)json_integer_value(json_object_get(row, "id"));
}

const char *row_label(const json_t *row)
{
    const char *name = row_text(row, "name");
    return *name ? name : row_text(row, "kind");
}

bool row_is(const json_t *row, const char *state)
{
    return strcmp(row_text(row, "state"), state) == 0;
}

bool row_ended(const json_t *row)
{
    for (size_t i = 0; i < sizeof STATES / sizeof *STATES; i++) {
        if (row_is(row, STATES[i].state))
            return STATES[i].ended;
    }
    return false;
}

enum print_color row_color(const json_t *row)
{
    for (size_t i = 0; i < sizeof STATES / sizeof *STATES; i++) {
        if (row_is(row, STATES[i].state))
            return STATES[i].color;
    }
    return COLOR_NONE;
}

double row_span_s(const json_t *row, int64_t now_us)
{
    json_int_t started = json_integer_value(json_object_get(row, "started_us"));
    json_int_t ended = json_integer_value(json_object_get(row, "ended_us"));
    if (!started)
        return 0;
    double span_s = 1e-6 * (double)((ended ? ended : now_us) - started);
    return span_s > 0 ? span_s : 0;
}

char *row_progress(const json_t *row)
{
    const json_t *progress = json_object_get(row, "progress");
    char done[CLOCK_TEXT_MAX], total[CLOCK_TEXT_MAX];
    if (!json_is_object(progress))
        return strdup("");
    print_count(json_number_value(json_object_get(progress, "done")), done);
    print_count(json_number_value(json_object_get(progress, "total")), total);
    return str_format("%s/%s %s", done, total, row_text(progress, "unit"));
}

int row_label_columns(int width)
{
    int columns = LABEL_LEAST + (width > 100 ? (width - 100) / 4 : 0);
    return columns < LABEL_MOST ? columns : LABEL_MOST;
}

/* width cells, of which the fraction is full. */
static char *draw_bar(double fraction, int width, bool utf8)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    int full = (int)(fraction * width);
    if (!stream)
        abort();
    for (int i = 0; i < width; i++)
        fputs(i < full ? (utf8 ? "━" : "#") : (utf8 ? "─" : "."), stream);
    fclose(stream);
    return text;
}

/* What follows the bar: percent, counts and time left; from level 1 on the rate, from 2 on the loss. */
static char *describe(const json_t *row, double fraction, int level)
{
    const json_t *progress = json_object_get(row, "progress"), *left = json_object_get(progress, "left_s");
    const json_t *loss = json_object_get(json_object_get(row, "metrics"), "loss");
    double rate = json_number_value(json_object_get(progress, "rate"));
    char *text = NULL, number[CLOCK_TEXT_MAX];
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    CLEANUP(free_ptr) char *counts = row_progress(row);
    if (!stream)
        abort();
    fprintf(stream, "%3d %%  %s", (int)(100 * fraction), counts);
    if (rate > 0 && level >= 1)
        fprintf(stream, "  %s/s", print_count(rate, number));
    if (rate > 0 && json_is_number(left))
        fprintf(stream, "  %s left", clock_format_span(json_number_value(left), number));
    if (level >= 2 && json_is_number(loss))
        fprintf(stream, "  loss %.3f", json_number_value(loss));
    fclose(stream);
    return text;
}

/* A running job that has not told how far it is: "started", or the step and loss of its metrics. */
static char *describe_start(const json_t *row)
{
    const json_t *metrics = json_object_get(row, "metrics"), *step = json_object_get(metrics, "step"),
                 *loss = json_object_get(metrics, "loss");
    if (!json_is_number(step) || !json_is_number(loss))
        return str_format("started");
    return str_format("step %.0f  loss %.3f", json_number_value(step), json_number_value(loss));
}

char *row_bar(const json_t *row, int width, bool utf8)
{
    const json_t *progress = json_object_get(row, "progress");
    double total = json_number_value(json_object_get(progress, "total"));
    double fraction = total > 0 ? json_number_value(json_object_get(progress, "done")) / total : 0;
    int columns = row_label_columns(width), most = width / 4 > BAR_MOST ? width / 4 : BAR_MOST, room = 0;
    CLEANUP(free_ptr) char *label = print_cut(row_label(row), columns);
    CLEANUP(free_ptr) char *id = row_id(row) ? str_format("%4ld  ", row_id(row)) : str_format("%s", "");
    CLEANUP(free_ptr) char *head = str_format("%s%s%*s  ", id, label, columns - print_columns(label), "");
    CLEANUP(free_ptr) char *tail = total > 0 ? NULL : describe_start(row), *whole = NULL;
    fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    if (!(total > 0)) {
        whole = str_format("%s%s", head, tail);
        return print_cut(whole, width);
    }
    for (int level = 2; level >= 0 && room < BAR_LEAST; level--) {
        free(tail);
        tail = describe(row, fraction, level);
        room = width - print_columns(head) - print_columns(tail) - 1;
    }
    CLEANUP(free_ptr) char *bar = draw_bar(fraction, room < BAR_LEAST ? BAR_LEAST : room > most ? most : room, utf8);
    whole = str_format("%s%s %s", head, bar, tail);
    return print_cut(whole, width);
}

/* What a success should not hide: bricks left out (mock and inject count them, cutouts a class), and what an
 * audit warns of. */
static char *row_caveat(const json_t *row)
{
    const json_t *result = json_object_get(row, "result");
    long long bricks = json_integer_value(json_object_get(result, "quarantined")),
              warnings = json_integer_value(json_object_get(result, "warnings"));
    bricks += json_integer_value(json_object_get(json_object_get(result, "real"), "quarantined"));
    bricks += json_integer_value(json_object_get(json_object_get(result, "fake"), "quarantined"));
    if (bricks)
        return str_format("; %lld brick%s left out, `decoy events %ld` says why", bricks,
                          bricks == 1 ? "" : "s", row_id(row));
    return warnings ? str_format("; %lld warning%s", warnings, warnings == 1 ? "" : "s")
                    : str_format("%s", "");
}

char *row_outcome(const json_t *row)
{
    const char *state = row_text(row, "state"), *reason = row_text(row, "reason");
    char span[CLOCK_TEXT_MAX];
    double span_s = row_span_s(row, 0);
    bool ran = json_integer_value(json_object_get(row, "started_us")) != 0;
    CLEANUP(free_ptr)
    char *time = ran ? str_format(row_is(row, "succeeded") ? " in %s" : " after %s", print_span(span_s, span))
                     : str_format("%s", "");
    if (row_is(row, "succeeded")) {
        CLEANUP(free_ptr) char *caveat = row_caveat(row);
        return str_format("%s%s%s", state, time, caveat);
    }
    return str_format("%s%s%s%s", state, time, *reason ? ": " : "", reason);
}
