/* The verb top. decoyd pushes every change; what this program asks by itself is the end of a log while that is shown,
 * and a training's curve when it is first looked at. Once a second the times are drawn anew. */
#include "client/top.h"
#include "client/client.h"
#include "client/follow.h"
#include "client/reconnect.h"
#include "client/row.h"
#include "client/screen.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { LOG_BYTES = 16 << 10, ENDED_KEPT = 50 };

/* --- what there is --- */

static int rank_of(const json_t *row)
{
    static const char *const ORDER[] = {"running", "ready", "waiting", "held"};
    int rank = 0;
    while (rank < 4 && !row_is(row, ORDER[rank]))
        rank++;
    return rank;
}

/* Running, ready, waiting, held by id; then what ended, the latest first. */
static int compare(const void *a, const void *b)
{
    const json_t *first = *(json_t *const *)a, *second = *(json_t *const *)b;
    int rank = rank_of(first) - rank_of(second);
    if (rank)
        return rank;
    json_int_t left = json_integer_value(json_object_get(first, "ended_us")),
               right = json_integer_value(json_object_get(second, "ended_us"));
    if (left != right)
        return left > right ? -1 : 1;
    return row_id(first) < row_id(second) ? -1 : row_id(first) > row_id(second);
}

/* Sorts the rows; all but the latest of the ended ones are let go. */
static void set_order(struct top *top)
{
    size_t count = 0, ended = 0;
    CLEANUP(free_ptr) json_t **sorted = calloc(json_object_size(top->rows) + 1, sizeof *sorted);
    const char *name;
    json_t *row;
    if (!sorted)
        abort();
    json_object_foreach(top->rows, name, row) sorted[count++] = json_incref(row);
    qsort(sorted, count, sizeof *sorted, compare);
    json_array_clear(top->order);
    for (size_t i = 0; i < count; i++) {
        CLEANUP(free_ptr) char *id = str_format("%ld", row_id(sorted[i]));
        ended += row_ended(sorted[i]);
        if (ended > ENDED_KEPT)
            json_object_del(top->rows, id);
        else
            json_array_append(top->order, sorted[i]);
        json_decref(sorted[i]);
    }
}

static size_t place_of_selected(const struct top *top)
{
    size_t i = 0;
    while (i < json_array_size(top->order) && row_id(json_array_get(top->order, i)) != top->selected)
        i++;
    return i;
}

/* Moves the selection by so many lines and keeps it in sight. */
static void move(struct top *top, long by)
{
    size_t count = json_array_size(top->order), height = top_list_height(top);
    long place = (long)place_of_selected(top);
    place = place >= (long)count ? 0 : place + by;
    place = place >= (long)count ? (long)count - 1 : place < 0 ? 0 : place;
    top->selected = count ? row_id(json_array_get(top->order, (size_t)place)) : 0;
    if ((size_t)place < top->first)
        top->first = (size_t)place;
    else if (height && (size_t)place >= top->first + height)
        top->first = (size_t)place - height + 1;
}

/* A point of the curve that is shown, from a row of metrics. */
static void add_point(struct top *top, const json_t *row)
{
    const json_t *metrics = json_object_get(row, "metrics");
    json_t *step = json_object_get(metrics, "step"), *loss = json_object_get(metrics, "loss");
    const json_t *last = json_array_get(top->curve, json_array_size(top->curve) - 1);
    if (row_id(row) != top->curve_job || !top->curve || !json_is_number(step) || !json_is_number(loss) ||
        json_equal(json_array_get(last, 0), step))
        return;
    json_array_append_new(top->curve, json_pack("[OO]", step, loss));
}

static void merge(struct top *top, const json_t *message)
{
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(message, "jobs"), i, row)
    {
        CLEANUP(free_ptr) char *id = str_format("%ld", row_id(row));
        json_object_set(top->rows, id, row);
        add_point(top, row);
    }
    set_order(top);
    move(top, 0);
}

/* --- questions --- */

/* The answer, or NULL with the refusal in the bottom line. A daemon that is gone says so by way of the stream. */
static json_t *ask(struct top *top, const char *verb, json_t *body)
{
    struct err err = {0};
    json_t *answer = NULL;
    int code = endpoint_call(top->line, verb, body, &answer, &err);
    if (code)
        snprintf(top->said, sizeof top->said, "%.190s", err.text);
    return code ? NULL : answer;
}

static bool trains(const json_t *row)
{
    return row && row_is(row, "running") && strcmp(row_text(row, "kind"), "train") == 0;
}

/* The job whose loss is worth looking at: the selected one if it trains, else the first that does. 0: none. */
static long curve_job(const struct top *top)
{
    const json_t *selected = top_selected_row(top);
    json_t *row;
    size_t i;
    if (trains(selected))
        return top->selected;
    json_array_foreach(top->order, i, row)
    {
        if (trains(row))
            return row_id(row);
    }
    return 0;
}

static void choose_curve(struct top *top)
{
    long job = curve_job(top);
    if (job == top->curve_job && (top->curve || !job))
        return;
    json_decref(top->curve);
    top->curve = NULL;
    top->curve_job = job;
    json_t *answer = job ? ask(top, "show", json_pack("{sI}", "job", (json_int_t)job)) : NULL;
    json_t *curve = json_object_get(json_object_get(answer, "job"), "curve");
    top->curve = json_is_array(curve) ? json_incref(curve) : job ? json_array() : NULL;
    json_decref(answer);
}

static void read_logs(struct top *top)
{
    json_t *answer = ask(
        top, "logs",
        json_pack("{sI si si}", "job", (json_int_t)top->selected, "offset", -LOG_BYTES, "limit", LOG_BYTES));
    const char *text = json_string_value(json_object_get(answer, "text"));
    if (text) {
        free(top->logs);
        top->logs = str_format("%s", text);
    }
    json_decref(answer);
}

static void change(struct top *top, const char *verb)
{
    json_t *answer = ask(top, verb, json_pack("{sI}", "job", (json_int_t)top->selected));
    if (answer)
        snprintf(top->said, sizeof top->said, "job %ld: %s", top->selected,
                 strcmp(verb, "cancel") == 0 && row_is(json_object_get(answer, "job"), "running")
                     ? "stopping"
                     : row_text(json_object_get(answer, "job"), "state"));
    json_decref(answer);
}

/* --- keys --- */

/* On the list of jobs. False: leave. */
static bool take_job_key(struct top *top, int key)
{
    long page = (long)top_list_height(top);
    switch (key) {
    case 'q':
        return false;
    case SCREEN_UP:
    case 'k':
        move(top, -1);
        break;
    case SCREEN_DOWN:
    case 'j':
        move(top, 1);
        break;
    case SCREEN_PAGE_UP:
    case SCREEN_PAGE_DOWN:
        move(top, key == SCREEN_PAGE_UP ? -page : page);
        break;
    case '?':
        top->page = TOP_HELP;
        break;
    case 'l':
        top->page = top->selected ? TOP_LOGS : TOP_JOBS;
        break;
    case 'h':
    case 'r':
        if (top->selected)
            change(top, key == 'h' ? "hold" : "release");
        break;
    case 'c':
        top->confirm = top->selected != 0;
        if (top->confirm)
            snprintf(top->said, sizeof top->said, "cancel job %ld, %.100s? y: yes, any other key: no",
                     top->selected, row_label(top_selected_row(top)));
        break;
    default:
        break;
    }
    return true;
}

static bool take_key(struct top *top, int key)
{
    if (key == SCREEN_RESIZED) {
        move(top, 0);
        return true;
    }
    *top->said = '\0';
    if (top->confirm) {
        top->confirm = false;
        if (key == 'y')
            change(top, "cancel");
        return true;
    }
    if (top->page == TOP_JOBS)
        return take_job_key(top, key);
    if (top->page == TOP_HELP || key == 'q' || key == 'l') {
        top->page = TOP_JOBS;
        free(top->logs);
        top->logs = NULL;
    }
    return true;
}

static bool take_keys(struct top *top)
{
    for (int key; (key = screen_key()) != SCREEN_NONE;) {
        if (!take_key(top, key))
            return false;
    }
    return !follow_interrupted();
}

/* --- the loop --- */

static int ask_stream(struct top *top, struct err *err)
{
    json_decref(top->status);
    top->status = NULL;
    int code = endpoint_call(top->line, "status", json_object(), &top->status, err);
    return code ? code : endpoint_ask(top->stream, "watch", json_pack("{s[]}", "jobs"), err);
}

/* The daemon went away: the terminal is given back while it is waited for. */
static int come_back(struct top *top, int why, struct err *err)
{
    screen_close();
    int code = reconnect(top->stream, why, STDIN_FILENO, err);
    if (!code)
        code = endpoint_reopen(top->line, err);
    if (!code)
        code = screen_open(err);
    json_object_clear(top->rows);
    set_order(top);
    return code ? code : ask_stream(top, err);
}

static int step(struct top *top, struct err *err)
{
    json_t *message = NULL;
    bool last;
    int code = endpoint_next(top->stream, 1.0, &message, &last, err);
    if (code == -ETIMEDOUT || code == -EINTR)
        code = 0;
    if (message)
        merge(top, message);
    json_decref(message);
    if (reconnect_fits(code))
        return come_back(top, code, err);
    if (code)
        return code;
    choose_curve(top);
    if (top->page == TOP_LOGS)
        read_logs(top);
    top_draw(top);
    return 0;
}

static int run(struct top *top, struct err *err)
{
    int code = screen_open(err);
    if (code)
        return code;
    follow_catch_interrupt();
    endpoint_wake_on(top->stream, STDIN_FILENO);
    code = ask_stream(top, err);
    while (!code && take_keys(top))
        code = step(top, err);
    screen_close();
    return code;
}

int top_run(struct client *client, struct err *err)
{
    CLEANUP(endpoint_close_ptr) struct endpoint *stream = NULL, *line = NULL;
    struct top top = {.rows = json_object(), .order = json_array()};
    int code = endpoint_open(&stream, client->state, err);
    if (!code)
        code = endpoint_open(&line, client->state, err);
    top.stream = stream;
    top.line = line;
    if (!code)
        code = run(&top, err);
    json_decref(top.rows);
    json_decref(top.order);
    json_decref(top.status);
    json_decref(top.curve);
    free(top.logs);
    if (!code)
        *err = (struct err){0};
    return exit_of(code);
}
