/* See view.h. Lines are cut to the terminal's width, so that each takes one row and moving up over them is
 * exact. */
#include "client/view.h"
#include "client/print.h"
#include "client/row.h"
#include "common/clock.h"
#include "common/str.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>


struct view {
    bool live, utf8;
    size_t drawn; /* lines that stand under the cursor's start */
    json_t *told; /* {"id": state for which a line was written} */
};

struct view *view_create(void)
{
    struct view *view = calloc(1, sizeof *view);
    if (!view)
        abort();
    setlocale(LC_CTYPE, "");
    view->live = print_is_terminal(stdout);
    view->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    view->told = json_object();
    return view;
}

void view_destroy(struct view *view)
{
    if (!view)
        return;
    view_clear(view);
    json_decref(view->told);
    free(view);
}

void view_clear(struct view *view)
{
    if (view->drawn)
        printf("\033[%zuA\r\033[J", view->drawn);
    view->drawn = 0;
    fflush(stdout);
}

static size_t height(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 4)
        return 10;
    return size.ws_row - 2U;
}

void view_line(const json_t *row)
{
    CLEANUP(free_ptr) char *outcome = row_outcome(row);
    int columns = row_label_columns(print_width());
    CLEANUP(free_ptr) char *label = print_cut(row_label(row), print_width() ? columns : 64);
    int pad = columns - print_columns(label);
    printf("%4ld  %s%*s  %s", row_id(row), label, pad > 0 ? pad : 0, "", print_color(stdout, row_color(row)));
    print_wrapped(stdout, outcome, columns + 8, columns + 8, print_width());
    fputs(print_color(stdout, COLOR_NONE), stdout);
}

/* Without a terminal: that a job has started, and again when an attempt is repeated. */
static void tell_start(const json_t *row)
{
    json_int_t attempt = json_integer_value(json_object_get(row, "attempt"));
    printf("%4ld  %-14s  started", row_id(row), row_label(row));
    printf(attempt > 1 ? " again, attempt %lld\n" : "\n", (long long)attempt);
}

static char *state_of(const json_t *row)
{
    return str_format("%s %lld", row_text(row, "state"),
                      (long long)json_integer_value(json_object_get(row, "attempt")));
}

/* Writes each job's line once a state and attempt. */
static void tell_changes(struct view *view, const json_t *rows)
{
    const char *id;
    json_t *row;
    json_object_foreach((json_t *)rows, id, row)
    {
        bool running = row_is(row, "running") && !view->live;
        CLEANUP(free_ptr) char *now = state_of(row);
        const char *before = json_string_value(json_object_get(view->told, id));
        if ((!running && !row_ended(row)) || (before && strcmp(before, now) == 0))
            continue;
        json_object_set_new(view->told, id, json_string(now));
        if (running)
            tell_start(row);
        else
            view_line(row);
    }
}

static void draw_faint(struct view *view, const char *text)
{
    printf("%s      %s%s\n", print_color(stdout, COLOR_FAINT), text, print_color(stdout, COLOR_NONE));
    view->drawn++;
}

static void draw_bars(struct view *view, const json_t *rows)
{
    const char *id;
    json_t *row;
    size_t waiting = 0, running = 0, limit = height();
    json_object_foreach((json_t *)rows, id, row)
    {
        waiting += !row_ended(row) && !row_is(row, "running");
        if (!row_is(row, "running") || running++ >= limit)
            continue;
        CLEANUP(free_ptr) char *line = row_bar(row, print_width() - 1, view->utf8);
        printf("%s%s%s\n", print_color(stdout, COLOR_BUSY), line, print_color(stdout, COLOR_NONE));
        view->drawn++;
    }
    CLEANUP(free_ptr)
    char *more = running > limit ? str_format("%zu more running, ", running - limit) : str_format("%s", "");
    CLEANUP(free_ptr) char *rest = str_format("%s%zu not yet started", more, waiting);
    if (waiting || running > limit)
        draw_faint(view, rest);
    else if (!running)
        draw_faint(view, "no job runs or waits");
}

void view_skip_ended(struct view *view, const json_t *rows)
{
    const char *id;
    json_t *row;
    json_object_foreach((json_t *)rows, id, row)
    {
        CLEANUP(free_ptr) char *now = state_of(row);
        if (row_ended(row))
            json_object_set_new(view->told, id, json_string(now));
    }
}

void view_draw(struct view *view, const json_t *rows)
{
    view_clear(view);
    tell_changes(view, rows);
    if (view->live)
        draw_bars(view, rows);
    fflush(stdout);
}
