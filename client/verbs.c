/* What decoy, the client, can do stands in this table; each verb is a function of the file named beside it, and its flags,
 * words, --help and --json are described here alone. Help, man pages and completion are drawn from it. */
#include "client/client.h"
#include "client/print.h"

#define TABLE(name, fields)                                                                                  \
    static const struct spec_kind name = {#name, "", fields, sizeof(fields) / sizeof *(fields)}

static const struct spec_field TIMEOUT_FIELDS[] = {
    {"timeout", SPEC_SPAN, .help = "give up waiting after this long, with exit code 5"},
};
static const struct spec_field SUBMIT_FIELDS[] = {
    {"after", SPEC_INT, .least = 1, .most = 9e15,
     .help = "start after this job has succeeded; may be given again"},
    {"after_any", SPEC_INT, .least = 1, .most = 9e15,
     .help = "start after this job has ended, however it did; may be given again"},
    {"each", SPEC_INPUT,
     .help =
         "a job array: one job of each line of this file. In the other flags {} is the line, {n} the job's "
         "number, {file} a file with its lines"},
    {"per", SPEC_INT, .least = 1, .most = 1e9,
     .help = "so many lines of --each make a job, which reads {file}"},
    {"key", SPEC_TEXT,
     .help = "1 to 64 characters: the same key with the same job is one job, however often submitted"},
    {"wait", SPEC_BOOL, .help = "wait until the job has ended"},
    {"follow", SPEC_BOOL, .help = "wait, and show its progress"},
};
static const struct spec_field RUN_FIELDS[] = {
    {"set", SPEC_TEXT, .choices = "NAME=VALUE", .help = "a param of the file; may be given again"},
    {"dir", SPEC_OUTPUT, .help = "the run's directory; stages write to DIR/STAGE (default ./NAME-run)"},
    {"key", SPEC_TEXT, .help = "1 to 36 characters: running again with the same key is the same run"},
    {"wait", SPEC_BOOL, .help = "wait for the end without a live view"},
    {"detach", SPEC_BOOL, .help = "submit and return"},
};
static const struct spec_field SWEEP_FIELDS[] = {
    {"set", SPEC_TEXT, .choices = "FIELD=VALUE",
     .help = "a field of every training, in place of the file's; may be given again"},
    {"dir", SPEC_OUTPUT, .help = "the sweep's directory (default ./NAME-sweep)"},
    {"wait", SPEC_BOOL, .help = "wait for the end without a live view"},
    {"detach", SPEC_BOOL, .help = "submit and return"},
};
static const struct spec_field LS_FIELDS[] = {
    {"all", SPEC_BOOL, .help = "the ended ones too"},
    {"flat", SPEC_BOOL, .help = "a row for each job of an array"},
};
static const struct spec_field LOGS_FIELDS[] = {
    {"follow", SPEC_BOOL, .help = "go on until the attempt has ended"},
    {"attempt", SPEC_INT, .least = 1, .most = 1e9, .help = "which attempt (default: the last)"},
    {"stream", SPEC_CHOICE, "stderr", .choices = "stderr|stdout", .help = "workers log to stderr; stdout is what they print besides"},
};
static const struct spec_field EVENTS_FIELDS[] = {
    {"follow", SPEC_BOOL, .help = "go on: until the job has ended, or for ever without an ID"},
    {"after_seq", SPEC_INT, .help = "only events after this number"},
};
static const struct spec_field FORGET_FIELDS[] = {
    {"older", SPEC_SPAN, .help = "all that ended longer ago than this, for example 30d"},
};
static const struct spec_field REASON_FIELDS[] = {
    {"reason", SPEC_TEXT, .help = "a sentence for the job's history"},
};
static const struct spec_field DRAIN_FIELDS[] = {
    {"reason", SPEC_TEXT, .help = "a sentence that `decoy status` and `decoy explain` show"},
};

static const struct spec_field STATUS_FIELDS[] = {
    {"metrics", SPEC_BOOL,
     .help = "what Prometheus is told, in its text form; `decoy up --metrics-file` keeps a file of it"},
};

TABLE(timeout_flags, TIMEOUT_FIELDS);
TABLE(submit_flags, SUBMIT_FIELDS);
TABLE(run_flags, RUN_FIELDS);
TABLE(sweep_flags, SWEEP_FIELDS);
TABLE(ls_flags, LS_FIELDS);
TABLE(logs_flags, LOGS_FIELDS);
TABLE(events_flags, EVENTS_FIELDS);
TABLE(forget_flags, FORGET_FIELDS);
TABLE(reason_flags, REASON_FIELDS);
TABLE(drain_flags, DRAIN_FIELDS);
TABLE(status_flags, STATUS_FIELDS);

static const char *const SUBMIT_REPEATS[] = {"after", "after_any", NULL};
static const char *const RUN_REPEATS[] = {"set", NULL};

enum { MANY = 1000 };

#define ROWS "{\"v\", \"jobs\": [ROW...]}"

const struct verb VERBS[] = {
    /* updown.c */
    {"up", "", "start decoyd and wait until it serves",
     "decoyd is taken from beside decoy's own program, else from $PATH; what it says goes to decoyd.log in "
     "its directory. "
     "If one runs already, that is said, and all is well.",
     "{\"v\", \"started\": bool, \"pid\", \"version\", \"state\"}", &timeout_flags, NULL, 0, 0, up_run},
    {"down", "", "end decoyd in good order; jobs go on after the next `decoy up`", NULL,
     "{\"v\", \"stopped\": true, \"pid\"}", &timeout_flags, NULL, 0, 0, down_run},
    {"recover", "", "start decoyd if it died, and tell which jobs were put back", NULL,
     "{\"v\", \"started\": bool, \"jobs\": [id...]}", &timeout_flags, NULL, 0, 0, recover_run},
    /* submit.c, run.c, pipeline.c */
    {"submit", "KIND", "one job, or an array of them; prints its id",
     "Paths are made absolute against the working directory. Exit code 1 with --wait or --follow: the job "
     "did not succeed.\n"
     "With --each the ids are printed as a range, which all verbs take: decoy cancel 12-111.",
     "{\"v\", \"id\"}, with --wait or --follow also \"job\": ROW; of an array \"ids\" and \"jobs\"",
     &submit_flags, SUBMIT_REPEATS, 1, 1, submit_run},
    {"run", "FILE.yaml|NAME", "a pipeline of jobs, in one transaction; then follow it",
     "FILE holds `name`, `params: {NAME: default}` and `stages: {STAGE: {kind: KIND, FIELD: value, ...}}`. A "
     "stage also takes the options of every job, `after: [STAGE]` and `after_any: [STAGE]`. In a value, "
     "${NAME} is a param or a "
     "stage: a stage stands for its output directory and makes a dependency (a stage that has a param's name "
     "means the param by it); $$ is a dollar. A param whose value is null is not given. A NAME without a "
     "slash "
     "is a file of etc/pipelines: demo, survey, simulated, controls, spoils. Paths are relative to the working directory.\n"
     "Ctrl-C leaves the jobs running. Exit code 1: a job did not succeed.",
     "{\"v\", \"group\", \"directory\", \"ids\": {stage: id}, \"jobs\": [ROW...], \"verdicts\": [...]}; with "
     "--detach without the "
     "last two",
     &run_flags, RUN_REPEATS, 1, 1, run_run},
    /* sweep.c */
    {"sweep", "FILE.yaml|NAME|results DIR",
     "trainings over a grid, or a random sample, of values; then their table",
     "FILE holds `name`, `search: grid|random` (random: `samples`, `seed`), `train: {FIELD: value, ...}`, "
     "what all trainings "
     "share, and `vary: {FIELD: [value, ...], ...}`. A FIELD is one of `decoy submit train --help`, or under "
     "vary "
     "LAYER.KEY: a key of the model file's layers by their names in `decoy model show`, conv1.features or "
     "conv*.kernel, and "
     "LAYER.repeat, how often a layer stands. A random search also takes {from: 0.0001, to: 0.01, scale: "
     "log|linear}. Each "
     "training is followed by an evaluation of its validation part; the test part is not looked at. The same "
     "sweep submitted "
     "again is the same jobs, and one with more values has only the new ones to do. A NAME without a slash "
     "is a file of "
     "etc/sweeps.\n"
     "`decoy sweep results DIR` prints the table at any time, also without a daemon.\n"
     "Ctrl-C leaves the jobs running. Exit code 1: a job did not succeed.",
     "{\"v\", \"name\", \"dataset\", \"varied\", \"trials\": [{\"trial\", \"values\", \"parameters\", "
     "\"epochs\", "
     "\"epochs_done\", \"auc\", \"auc_error\", \"loss\", \"loss_error\", \"img_per_s\", \"state\"}...]}, the "
     "best AUC "
     "first; with --detach as `decoy run`",
     &sweep_flags, RUN_REPEATS, 1, 2, sweep_run},
    /* status.c, show.c */
    {"ls", "", "the jobs that have not ended, an array as one row", NULL,
     "{\"v\", \"jobs\": [ROW...], \"arrays\"}, as in proto/README.md", &ls_flags, NULL, 0, 0, ls_run, true},
    {"explain", "ID", "why a job is where it is, in one sentence", NULL,
     "{\"v\", \"job\", \"state\", \"code\", \"text\"}", NULL, NULL, 1, 1, explain_run},
    {"show", "ID|DIR", "all about one job, what a dataset holds, or where a training's time goes", NULL,
     "{\"v\", \"job\": ROW with \"spec\", \"attempts\"}, the members of a dataset's manifest, or {\"v\", \"layers\": PATH, \"text\"}", NULL, NULL,
     1, 1, show_run},
    /* follow.c, history.c */
    {"watch", "[ID...]", "progress bars with rate and time left",
     "Without an ID all jobs, until Ctrl-C; with IDs until they have ended. Exit code 1: one of them did not "
     "succeed.",
     "{\"v\", \"jobs\": [ROW...]} at once, then the rows that change", NULL, NULL, 0, MANY, watch_run},
    {"top", "", "the whole terminal: jobs with bars, a training's loss; keys to steer",
     "Up and down choose a job; l shows its log, c cancels, h holds, r releases, ? helps, q leaves.", "none",
     NULL, NULL, 0, 0, top_run},
    {"logs", "ID", "what a job wrote",
     "The log of each attempt is kept until the job is forgotten; one that grows beyond decoyd's --log-limit keeps its "
     "beginning and its end.",
     "{\"v\", \"job\", \"attempt\", \"path\", \"text\", \"ended\": bool}, one a piece", &logs_flags, NULL, 1,
     1, logs_run},
    {"events", "[ID]", "the history of a job, or of all", NULL, "{\"v\", \"event\": EVENT}, one an event",
     &events_flags, NULL, 0, 1, events_run},
    {"wait", "ID...", "wait until jobs have ended", "Exit code 1: one of them did not succeed.",
     "{\"v\", \"jobs\": [ROW...]}", &timeout_flags, NULL, 1, MANY, wait_run},
    /* change.c */
    {"cancel", "[ID...]", "end jobs, or keep them from starting",
     "A running job is asked to stop (SIGTERM); what is left of it after decoyd's --grace is killed.", ROWS,
     &reason_flags, NULL, 0, MANY, cancel_run, true},
    {"hold", "[ID...]", "keep jobs from starting until `decoy release`", NULL, ROWS, &reason_flags, NULL, 0,
     MANY, hold_run, true},
    {"release", "[ID...]", "let held jobs start", NULL, ROWS, NULL, NULL, 0, MANY, release_run, true},
    {"priority", "[ID...] N", "change who starts first: jobs of a higher priority do", NULL, ROWS,
     &reason_flags, NULL, 1, MANY, priority_run, true},
    {"checkpoint", "[ID...]", "have running trainings write a checkpoint now", NULL, ROWS, NULL, NULL, 0,
     MANY, checkpoint_run, true},
    {"retry", "[ID...]", "another go for jobs that failed (without an ID: for all of them)",
     "The job keeps its id and gets a new attempt; jobs that were skipped because of it come back with it.",
     ROWS, &reason_flags, NULL, 0, MANY, retry_run, true},
    {"rerun", "[ID...]", "another go for any jobs that have ended, also well",
     "As retry. What is in the job's output directory stays, and the job goes by it as always.", ROWS,
     &reason_flags, NULL, 0, MANY, rerun_run, true},
    {"forget", "[ID...]", "take jobs that have ended, and their logs, out of decoyd's memory",
     "What they made stays. `decoy up --keep-days N` has decoyd do it by itself.",
     "{\"v\", \"forgotten\": n}", &forget_flags, NULL, 0, MANY, forget_run, true},
    {"drain", "", "start no more jobs; those that run go on", NULL, "{\"v\", \"running\": n}", &drain_flags,
     NULL, 0, 0, drain_run},
    {"resume", "", "start jobs again", NULL, "{\"v\", \"running\": n}", NULL, NULL, 0, 0, resume_run},
    {"status", "", "the daemon, its slots, how many jobs are in which state", NULL,
     "{\"v\"} and the members of the daemon's status in proto/README.md; with --metrics {\"v\", \"text\"}",
     &status_flags, NULL, 0, 0, status_run},
    /* verdict.c */
    {"verdict", "ID|DIR", "what an evaluate job concluded",
     "DIR is an evaluate job's output, or a directory of a run; it needs no daemon (write ./12 for a "
     "directory called 12). "
     "Exit code 0: representative; 1: distinguishable, inconclusive, or no verdict yet.",
     "{\"v\"} and the members of verdict.json, or of the job's result for an ID", NULL, NULL, 1, 1,
     verdict_run},
    {"version", "", "the version of this client and of its protocol", NULL,
     "{\"v\", \"version\", \"protocol\"}", NULL, NULL, 0, 0, version_run},
    {"help", "[VERB|KIND]", "this list, or all about one verb or job kind", NULL, "none", NULL, NULL, 0, 1,
     help_run},
    {NULL},
};

int version_run(struct client *client, struct err *err)
{
    (void)err;
    if (client->json)
        print_json(json_pack("{ss si}", "version", DECOY_VERSION, "protocol", 1));
    else
        puts("decoy " DECOY_VERSION ", protocol 1");
    return EXIT_DONE;
}
