/* See top.h. From above: a line on the daemon, the list, the loss of the selected or first training, the keys. */
#include "client/curve.h"
#include "client/row.h"
#include "client/screen.h"
#include "client/top.h"
#include "common/str.h"

#include <string.h>

enum { CURVE_LEAST = 6, CURVE_MOST = 16, CURVE_LABELS = 8 };

static enum screen_style style_of(const json_t *row)
{
    static const enum screen_style STYLES[] = {
        [COLOR_NONE] = STYLE_PLAIN, [COLOR_GOOD] = STYLE_GOOD,   [COLOR_BAD] = STYLE_BAD,
        [COLOR_BUSY] = STYLE_BUSY,  [COLOR_FAINT] = STYLE_FAINT, [COLOR_STRONG] = STYLE_STRONG};
    return STYLES[row_color(row)];
}

/* A quarter of the screen. */
static int curve_height(void)
{
    int height = screen_rows() / 4;
    return height < CURVE_LEAST ? CURVE_LEAST : height < CURVE_MOST ? height : CURVE_MOST;
}

static bool has_curve(const struct top *top)
{
    return json_array_size(top->curve) > 1 && screen_rows() >= 16;
}

size_t top_list_height(const struct top *top)
{
    int height = screen_rows() - 3 - (has_curve(top) ? curve_height() + 1 : 0);
    return height > 0 ? (size_t)height : 0;
}

const json_t *top_selected_row(const struct top *top)
{
    CLEANUP(free_ptr) char *id = str_format("%ld", top->selected);
    return json_object_get(top->rows, id);
}

/* "slots 2 of 4 in use, 1 running, 3 ready, ..." */
static void draw_head(const struct top *top)
{
    static const char *const STATES[] = {"running",   "ready",  "waiting",   "held",
                                         "succeeded", "failed", "cancelled", "skipped"};
    long counts[8] = {0}, used = 0;
    char *text = NULL;
    size_t size, i;
    json_t *row;
    json_array_foreach(top->order, i, row)
    {
        for (size_t state = 0; state < 8; state++)
            counts[state] += row_is(row, STATES[state]);
        if (row_is(row, "running"))
            used += (long)(json_integer_value(json_object_get(row, "ranks")) *
                           json_integer_value(json_object_get(row, "threads")));
    }
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    fprintf(stream, "decoyd on %s   slots %ld of %lld", row_text(top->status, "host"), used,
            (long long)json_integer_value(json_object_get(top->status, "slots")));
    for (size_t state = 0; state < 8; state++) {
        if (counts[state])
            fprintf(stream, "%s%ld %s", state && ftell(stream) ? "  " : "   ", counts[state], STATES[state]);
    }
    fclose(stream);
    screen_put(0, 0, text, STYLE_STRONG, false);
    free(text);
    if (json_is_string(json_object_get(top->status, "drained")))
        screen_put(1, 0, "drained: no job is started until `decoy resume`", STYLE_BAD, false);
    else
        screen_put(1, 0, "  id  job", STYLE_FAINT, false);
}

/* A job that does not run: its id, label, state and what there is to say of it. */
static char *describe(const json_t *row)
{
    int columns = row_label_columns(screen_columns() - 1);
    CLEANUP(free_ptr) char *label = print_cut(row_label(row), columns);
    CLEANUP(free_ptr) char *outcome = row_ended(row) ? row_outcome(row) : NULL;
    const char *reason = outcome ? "" : row_text(row, "reason");
    return str_format("%4ld  %s%*s  %s%s%s", row_id(row), label, columns - print_columns(label), "",
                      outcome ? outcome : row_text(row, "state"), *reason ? ": " : "", reason);
}

static void draw_list(const struct top *top)
{
    size_t height = top_list_height(top);
    for (size_t i = 0; i < height && top->first + i < json_array_size(top->order); i++) {
        const json_t *row = json_array_get(top->order, top->first + i);
        CLEANUP(free_ptr)
        char *line =
            row_is(row, "running") ? row_bar(row, screen_columns() - 1, screen_utf8()) : describe(row);
        screen_put(2 + (int)i, 0, line, style_of(row), row_id(row) == top->selected);
    }
    if (json_array_size(top->order) == 0)
        screen_put(3, 2, "no job runs or waits", STYLE_FAINT, false);
}

/* Lines of text from `row` on. */
static void draw_lines(char *text, int row, int column, int last, enum screen_style style)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line && row <= last; line = strtok_r(NULL, "\n", &rest))
        screen_put(row++, column, line, style, false);
}

static void draw_curve(const struct top *top)
{
    int row = 2 + (int)top_list_height(top);
    double least, greatest;
    if (!has_curve(top))
        return;
    curve_range(top->curve, &least, &greatest);
    const json_t *last = json_array_get(top->curve, json_array_size(top->curve) - 1);
    CLEANUP(free_ptr)
    char *title =
        str_format("loss of job %ld, step %.0f: %.4f", top->curve_job,
                   json_number_value(json_array_get(last, 0)), json_number_value(json_array_get(last, 1)));
    CLEANUP(free_ptr) char *high = str_format("%7.4f", greatest), *low = str_format("%7.4f", least);
    CLEANUP(free_ptr)
    char *drawn = curve_draw(top->curve, screen_columns() - CURVE_LABELS - 1, curve_height(), screen_utf8());
    screen_put(row, 0, title, STYLE_STRONG, false);
    screen_put(row + 1, 0, high, STYLE_FAINT, false);
    screen_put(row + curve_height(), 0, low, STYLE_FAINT, false);
    for (char *line = drawn, *end; line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        screen_put(++row, CURVE_LABELS, line, STYLE_BUSY, false);
    }
}

static void draw_keys(const struct top *top)
{
    static const char *const KEYS[] = {
        [TOP_JOBS] = "up/down choose   l logs   c cancel   h hold   r release   ? help   q quit",
        [TOP_LOGS] = "q or l: back to the jobs",
        [TOP_HELP] = "any key: back to the jobs",
    };
    bool says = *top->said != '\0';
    screen_put(screen_rows() - 1, 0, says ? top->said : KEYS[top->page], says ? STYLE_STRONG : STYLE_FAINT,
               false);
}

/* The last lines that have room. */
static void draw_logs(const struct top *top)
{
    int height = screen_rows() - 2, lines = 0;
    bool empty = top->logs && !*top->logs;
    CLEANUP(free_ptr) char *title = str_format(empty ? "job %ld has logged nothing yet" : "job %ld: the end of its log", top->selected);
    screen_put(0, 0, title, STYLE_STRONG, false);
    if (!top->logs || height < 1)
        return;
    const char *from = top->logs + strlen(top->logs);
    while (from > top->logs && (lines += from[-1] == '\n') <= height)
        from--;
    CLEANUP(free_ptr) char *text = str_format("%s", from);
    draw_lines(text, 1, 0, height, STYLE_PLAIN);
}

static void draw_help(void)
{
    char text[] = "decoy top: what decoyd does, as it happens\n"
                  " \n"
                  "up, down, k, j     choose a job; page up and page down go faster\n"
                  "l                  the end of its log, as it grows\n"
                  "c                  cancel it (asks once more)\n"
                  "h, r               hold it back, let it go\n"
                  "q, Ctrl-C          leave; the jobs go on\n"
                  " \n"
                  "A running job shows its part done, its rate a second and the time left.\n"
                  "Below the list: the loss of the chosen training, or of the first that runs.\n";
    draw_lines(text, 0, 0, screen_rows() - 2, STYLE_PLAIN);
}

void top_draw(struct top *top)
{
    screen_clear();
    if (top->page == TOP_JOBS) {
        draw_head(top);
        draw_list(top);
        draw_curve(top);
    } else if (top->page == TOP_LOGS) {
        draw_logs(top);
    } else {
        draw_help();
    }
    draw_keys(top);
    screen_show();
}
