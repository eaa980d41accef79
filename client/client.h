/* What a verb of decoy is given, and what it gives back. */
#ifndef DECOY_CLIENT_CLIENT_H
#define DECOY_CLIENT_CLIENT_H

#include "client/flags.h"
#include "common/err.h"
#include "proto/spec.h"

#include <jansson.h>
#include <stdbool.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_NEGATIVE = 1,  /* a job failed, or the answer is no */
    EXIT_USAGE = 2,     /* a flag, a word or a file of the caller's is wrong */
    EXIT_NO_DAEMON = 3, /* nobody listens in the state directory, or it went away */
    EXIT_REFUSED = 4,   /* the daemon said no, or speaks another protocol */
    EXIT_TIMEOUT = 5,
    EXIT_DETACHED = 130 /* Ctrl-C: a tool stopped, or following a job that goes on */
};

struct client {
    char *state; /* absolute path of the daemon's directory, or of its endpoint file; NULL where nothing names one */
    bool json;   /* --json: one object {"v": 1, ...} instead of text */
    const struct verb *verb;
    struct flags flags;
    json_t *given; /* the verb's own flags that were given; borrowed from flags */
    json_t *more;  /* likewise those of client_more_flags */
};

/* Returns an exit code. A verb that fails has put the sentence into err; main prints it. */
typedef int verb_run(struct client *client, struct err *err);

struct verb {
    const char *name;
    const char *words;   /* "[ID...]" */
    const char *summary; /* one line */
    const char *help;    /* a paragraph; may be NULL */
    const char *json;    /* the shape of --json */
    const struct spec_kind *flags;
    const char *const *repeats; /* flags that may be given more than once; NULL: none */
    size_t least, most;         /* how many words */
    verb_run *run;
    bool selects; /* its jobs may be picked by --tag, --name, --group and --only too (select.h) */
};

extern const struct verb VERBS[]; /* in verbs.c; ends with a nameless one */

verb_run up_run, down_run, recover_run, drain_run, resume_run, hold_run, priority_run, checkpoint_run,
    retry_run, rerun_run, forget_run, top_run, explain_run, submit_run, run_run, sweep_run, ls_run, show_run, watch_run,
    logs_run, events_run, wait_run, cancel_run, release_run, status_run, verdict_run, version_run, help_run;

/* Reads the arguments, runs the verb, prints its sentence; returns the exit code. */
int client_main(int argc, char **argv);

/* One question, one answer, a new reference; with --json it is printed. Takes body. */
int client_ask(const struct client *client, const char *verb, json_t *body, json_t **answer, struct err *err);

/* The exit code that fits an error of endpoint_*, pipeline_* or a file. */
int exit_of(int code);

/* The i-th word. */
const char *client_word(const struct client *client, size_t i);
size_t client_words(const struct client *client);

/* The table of flags that a verb takes besides its own; NULL: none. */
const struct spec_kind *client_more_flags(const struct verb *verb);

/* Words from the i-th on as an array of job ids, a new reference: "7", or "7-9" for 7, 8 and 9. EXIT_USAGE and a
 * sentence if one is none. */
int client_ids(const struct client *client, size_t from, json_t **ids, struct err *err);

/* The first word as the id of one job; 0 without a word. EXIT_USAGE and a sentence if it is none, or a range. */
int client_id(const struct client *client, json_int_t *id, struct err *err);

#endif
