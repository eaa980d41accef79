/* decoy-man PAGE: prints a man page (decoy.1, decoyd.8, decoy-worker.8, decoy-spec.5) in man(7), its verbs, flags and
 * fields drawn from the tables that --help and the checks go by. Runs while decoy is built; not installed. */
#include "client/client.h"
#include "client/help.h"
#include "client/tool.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#define REVISED "2026-11-24"

enum { LINE_SIZE = 80 };

/* Roff of one character; returns its bytes. */
static int letter(char c, bool first)
{
    if (c == '\\')
        return printf("\\e");
    if (c == '-')
        return printf("\\-");
    if (c == '|') /* a line may be broken after it */
        return printf("|\\:");
    return printf(first && (c == '.' || c == '\'') ? "\\&%c" : "%c", c);
}

/* Text as it is, but `this` in bold; a newline begins a paragraph. Lines are broken at words before `width` bytes. */
static void say_within(const char *text, int width)
{
    bool bold = false;
    int column = 0;
    for (; *text; text++) {
        size_t word = strcspn(text + 1, " \n");
        if (*text == '\n') {
            fputs("\n.PP\n", stdout);
            column = 0;
        } else if (*text == '`') {
            column += printf((bold = !bold) ? "\\fB" : "\\fR");
        } else if (*text == ' ' && column > 0 && column + 12 + (int)word > width) {
            putchar('\n');
            column = 0;
        } else {
            column += letter(*text, column == 0);
        }
    }
    putchar('\n');
}

static void say(const char *text)
{
    say_within(text, LINE_SIZE);
}

/* A term and what it means: the former is one line of input, however long. */
static void term(const char *name, const char *means)
{
    puts(".TP");
    say_within(name, INT_MAX);
    say(means);
}

static void title(const char *name, int section, const char *what)
{
    CLEANUP(free_ptr) char *capitals = str_format("%s", name);
    for (char *at = capitals; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    printf(".TH %s %d " REVISED " \"decoy " DECOY_VERSION "\"\n.SH NAME\n%s \\- %s\n", capitals, section,
           name, what);
}

static void head(const char *text)
{
    printf(".SH \"%s\"\n", text);
}

struct pair {
    const char *name, *means;
};

static void bold_term(const struct pair *pair)
{
    CLEANUP(free_ptr) char *name = str_format("`%s`", pair->name);
    term(name, pair->means);
}

static void terms(const char *heading, const struct pair *pairs, size_t count)
{
    head(heading);
    for (size_t i = 0; i < count; i++)
        bold_term(&pairs[i]);
}

#define TERMS(heading, pairs) terms(heading, pairs, sizeof(pairs) / sizeof *(pairs))

/* Flags of a table; with keys, each field's name in a file as well. */
static void flags(const struct spec_kind *kind, bool keys)
{
    for (size_t i = 0; kind && i < kind->count; i++) {
        const struct spec_field *field = &kind->fields[i];
        const char *word = help_value_word(field);
        CLEANUP(free_ptr) char *flag = flag_name(field), *limits = help_limits(field);
        CLEANUP(free_ptr)
        char *line =
            str_format("%s%s%s`%s`%s%s%s", keys ? "`" : "", keys ? field->name : "", keys ? "`, " : "", flag,
                       strcmp(field->name, "follow") == 0 ? ", `-f`" : "", *word ? " " : "", word);
        CLEANUP(free_ptr) char *means = str_format("%s%s", field->help, limits);
        term(line, means);
    }
}

/* --- decoy(1) --- */

static void verb_section(const struct verb *verb)
{
    printf(".SS \"decoy %s%s", verb->name, *verb->words ? " " : "");
    for (const char *at = verb->words; *at; at++)
        printf(*at == '-' ? "\\-" : "%c", *at);
    puts("\"");
    CLEANUP(free_ptr)
    char *summary = str_format("%c%s.", toupper((unsigned char)*verb->summary), verb->summary + 1);
    say(summary);
    if (verb->help) {
        puts(".PP");
        say(verb->help);
    }
    if (strcmp(verb->name, "submit") == 0) {
        puts(".PP");
        say("The kinds, their flags and the options of every job are in decoy-spec(5).");
    }
    flags(verb->flags, false);
    flags(client_more_flags(verb), false);
    CLEANUP(free_ptr) char *json = str_format("With `--json`: %s.", verb->json);
    puts(".PP");
    say(json);
}

static void tools(void)
{
    size_t count;
    const struct spec_kind *kinds = spec_kinds(&count);
    head("TOOLS");
    say("These need no daemon.");
    for (size_t i = 0; i < count; i++) {
        if (kinds[i].use != SPEC_JOB)
            verb_section(tool_verb(kinds[i].name));
    }
}

static const struct pair EXITS[] = {
    {"0", "All is well."},
    {"1", "A job failed, or the answer is no."},
    {"2", "A flag, a word or a file of the caller's is wrong."},
    {"3", "No daemon serves, or it went away."},
    {"4", "The daemon said no, or speaks another protocol."},
    {"5", "The time was up."},
    {"130", "Ctrl-C: a tool stopped, or what is followed goes on without us."},
};

static const struct pair CLIENT_ENVIRONMENT[] = {
    {"DECOY_STATE", "The daemon's directory, where --state is not given."},
    {"DECOY_ETC", "A directory of cuts, models and pipelines that is searched before the installed one."},
    {"DECOY_WORKER", "The path of decoy-worker, for tools."},
    {"DECOY_RECONNECT", "How long followers wait for a daemon that went away (30s)."},
    {"NO_COLOR", "Where it is set, no colours."},
};

static const struct pair STATE_FILES[] = {
    {"decoyd.sock", "The socket."},
    {"decoyd.log", "What decoyd says, when it is in the background."},
    {"decoyd.yaml", "What decoyd is told at its start, but for what its flags and environment say."},
    {"queue.db", "The queue, an SQLite database that decoyd alone opens."},
    {"jobs/ID/attempt-N/", "An attempt's spec.json, stdout, stderr and result.json."},
    {"endpoint.json, client.key, server.key, authorized_keys",
     "With --listen: where and how clients of other hosts connect."},
};

static void page_decoy(void)
{
    title("decoy", 1, "can injected galaxies be told from real ones?");
    head("SYNOPSIS");
    say("`decoy` VERB [WORDS] [FLAGS]");
    head("DESCRIPTION");
    say("decoy is the client of decoyd(8), which runs jobs out of a durable queue: it makes or reads surveys "
        "with injected galaxies, "
        "cuts stamps, trains a network to tell fake from real, and gives a verdict. `decoy run demo` shows "
        "the whole way.\n"
        "Flags and words may stand in any order; `--flag VALUE` is `--flag=VALUE`; `--` ends the flags. An "
        "ID may be a range, 7-12.");
    head("VERBS");
    for (const struct verb *verb = VERBS; verb->name; verb++)
        verb_section(verb);
    tools();
    head("FLAGS OF EVERY VERB");
    flags(help_common_flags(), false);
    TERMS("EXIT STATUS", EXITS);
    TERMS("ENVIRONMENT", CLIENT_ENVIRONMENT);
    head("FILES");
    say("~/.local/state/decoy is the daemon's directory unless another is named; decoyd(8) tells what is in "
        "it.");
    head("SEE ALSO");
    say("decoy-spec(5), decoyd(8), decoy-worker(8)");
}

/* --- decoyd(8) --- */

static const struct pair DAEMON_FLAGS[] = {
    {"--state DIR", "Directory of the queue, the socket and the jobs' output (default $DECOY_STATE, else "
                    "${XDG_STATE_HOME:-~/.local/state}/decoy). "
                    "It must be open to nobody else."},
    {"--foreground", "Stay in the foreground and log to standard error, with priorities where that is the "
                     "journal. Without it decoyd returns when it "
                     "serves, and logs to DIR/decoyd.log."},
    {"--version, --help", "Print that, and end."},
};

static const struct pair DAEMON_SIGNALS[] = {
    {"SIGTERM, SIGINT, SIGHUP",
     "Running jobs are asked to stop, put back in the queue, and decoyd ends with 0."},
    {"SIGUSR1", "The same, as at the end of an allocation: what `sbatch --signal=B:USR1@60` sends."},
};

static const struct pair DAEMON_EXITS[] = {
    {"0", "It ended in good order, or (in the background) it serves."},
    {"1",
     "It could not start, or could not write its queue; the sentence is on standard error or in decoyd.log."},
    {"2", "A flag is wrong."},
};

static const struct pair DAEMON_ENVIRONMENT[] = {
    {"DECOY_STATE, XDG_STATE_HOME", "Where the state directory is."},
    {"DECOY_SLOTS, DECOY_GRACE, ...",
     "Each option by its name in capitals; a flag comes before it, decoyd.yaml after it."},
    {"DECOY_WORKER", "The path of decoy-worker where it is not beside decoyd."},
    {"NOTIFY_SOCKET, WATCHDOG_USEC",
     "Of systemd: it is told when decoyd serves, that it is alive, and when it ends."},
    {"SLURM_JOB_ID, SLURM_JOB_END_TIME, SLURM_JOB_NODELIST, SLURM_JOB_CPUS_PER_NODE",
     "The allocation: its end, its hosts and their CPUs."},
};

static void page_decoyd(void)
{
    title("decoyd", 8, "runs the jobs that decoy submits, and remembers them");
    head("SYNOPSIS");
    say("`decoyd` [`--state` DIR] [`--foreground`] [OPTIONS]");
    head("DESCRIPTION");
    say("decoyd runs jobs out of a durable queue inside one reservation of CPU nodes, or on one machine; "
        "decoy(1) talks to it, and its "
        "jobs are run by decoy-worker(8). `decoy up` starts it. A daemon that dies loses nothing: the next "
        "one goes on with the queue, "
        "and interrupted jobs with their outputs and checkpoints.\n"
        "Only the user who started it is served, by a socket in the state directory; with `--listen` also "
        "who has a key, by TCP.");
    TERMS("OPTIONS", DAEMON_FLAGS);
    puts(".PP");
    say("Each of these may also stand in DIR/decoyd.yaml by its name there, or in the environment:");
    flags(spec_daemon_options(), true);
    TERMS("SIGNALS", DAEMON_SIGNALS);
    TERMS("EXIT STATUS", DAEMON_EXITS);
    TERMS("ENVIRONMENT", DAEMON_ENVIRONMENT);
    TERMS("FILES", STATE_FILES);
    head("SEE ALSO");
    say("decoy(1), decoy-spec(5), decoy-worker(8), systemctl(1), sbatch(1)");
}

/* --- decoy-worker(8) --- */

static const struct pair WORKER_EXITS[] = {
    {"0", "Done; result.json in DECOY_ATTEMPT_DIR is the result."},
    {"1", "Failed; the last error on standard error says why."},
    {"2", "The job file or the command line is wrong."},
    {"75", "Stopped as asked, to go on later; what was finished is kept."},
};

static const struct pair WORKER_SIGNALS[] = {
    {"SIGTERM, SIGUSR2", "Stop: finish the brick or write a checkpoint, and end with 75. SIGUSR2 is what "
                         "mpirun and srun hand on to every rank."},
    {"SIGUSR1", "A training writes a checkpoint now."},
};

static const struct pair WORKER_ENVIRONMENT[] = {
    {"DECOY_ENDPOINT, DECOY_JOB, DECOY_ATTEMPT, DECOY_TOKEN",
     "Where progress, metrics, notes and warnings are sent, and in whose name. Without them nothing is "
     "sent."},
    {"DECOY_ATTEMPT_DIR", "Where result.json is written."},
    {"DECOY_RANKS, DECOY_CPUS", "How many ranks there are, and the cores of each host that they bind to."},
    {"DECOY_ETC", "As of decoy(1)."},
    {"OMP_NUM_THREADS", "Threads a rank."},
};

static void page_worker(void)
{
    title("decoy-worker", 8, "does one job of decoyd");
    head("SYNOPSIS");
    say("`decoy-worker --spec` FILE.json\n`decoy-worker --version`");
    head("DESCRIPTION");
    say("decoyd(8) starts one for a job of one rank, and several by mpirun(1) or srun(1); decoy(1) starts "
        "one for a tool. FILE is "
        "{\"kind\", \"fields\", \"threads\", \"job\", \"attempt\"} with fields as in decoy-spec(5), their "
        "paths absolute. Nobody needs to start it by hand.\n"
        "Readers of bricks are confined by Landlock and seccomp where the kernel has them; `--version` tells "
        "which.");
    TERMS("EXIT STATUS", WORKER_EXITS);
    TERMS("SIGNALS", WORKER_SIGNALS);
    TERMS("ENVIRONMENT", WORKER_ENVIRONMENT);
    head("SEE ALSO");
    say("decoy(1), decoy-spec(5), decoyd(8)");
}

/* --- decoy-spec(5) --- */

static const struct pair TYPES[] = {
    {"N, X", "An integer or a real number, in the unit and within the limits that are given with it."},
    {"TIME", "A span: 90 (seconds), 90s, 15m, 2h, 1d, 1:30:00."},
    {"PATH", "Relative to the working directory of decoy; ~ is the shell's affair."},
    {"NAME|PATH", "A preset, NAME.yaml of etc/cuts or etc/models, or a path with a slash in it."},
    {"a|b|c", "One of these."},
    {"(nothing)", "Yes or no: a bare flag means yes; in a file true or false."},
};

static const char *const EXAMPLE[] = {
    "name: first",
    "params: {bricks: 12}",
    "stages:",
    "  sky: {kind: mock, bricks: ${bricks}}",
    "  fakes: {kind: inject, survey: ${sky}}",
    "  stamps: {kind: cutouts, survey: ${sky}, simulation: ${fakes}, retries: 2}",
    NULL};

static void kind_sections(void)
{
    size_t count;
    const struct spec_kind *kinds = spec_kinds(&count);
    head("KINDS");
    for (size_t i = 0; i < count; i++) {
        if (kinds[i].use == SPEC_LOOK)
            continue;
        printf(".SS %s\n", kinds[i].name);
        CLEANUP(free_ptr)
        char *summary = str_format("%c%s.", toupper((unsigned char)*kinds[i].summary), kinds[i].summary + 1);
        say(summary);
        flags(&kinds[i], true);
    }
}

static void page_spec(void)
{
    title("decoy-spec", 5, "what jobs of decoy are told: kinds, fields, pipelines");
    head("DESCRIPTION");
    say("A job is of a kind and has fields. `decoy submit KIND` takes them as flags, a pipeline file as keys "
        "of a stage: the field "
        "`psf_scale` is the flag `--psf-scale`. Every value is checked before anything is queued, and again "
        "by the worker.");
    head("VALUES");
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        bold_term(&TYPES[i]);
    head("PIPELINE FILES");
    say(help_find_verb("run")->help);
    puts(".PP\n.nf");
    for (const char *const *line = EXAMPLE; *line; line++)
        puts(*line);
    puts(".fi");
    head("OPTIONS OF EVERY JOB");
    flags(spec_job_options(), true);
    kind_sections();
    head("SEE ALSO");
    say("decoy(1), decoyd(8), decoy-worker(8)");
}

static const struct {
    const char *name;
    void (*print)(void);
} PAGES[] = {{"decoy.1", page_decoy},
             {"decoyd.8", page_decoyd},
             {"decoy-worker.8", page_worker},
             {"decoy-spec.5", page_spec}};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof PAGES / sizeof *PAGES; i++) {
        if (strcmp(argv[1], PAGES[i].name) == 0) {
            PAGES[i].print();
            return 0;
        }
    }
    fputs("usage: decoy-man decoy.1|decoyd.8|decoy-worker.8|decoy-spec.5\n", stderr);
    return EXIT_USAGE;
}
