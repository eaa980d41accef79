/* See plot.h. gnuplot writes to NAME.<png|svg>.part, which are then fsynced and renamed; it is started with
 * an argument vector, an environment of three variables and no shell. Its first line on standard error is the
 * error. */
#include "daemon/worker/report/plot.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char PREAMBLE[] =
    "# %1$s: `gnuplot %1$s.gp` draws %1$s.png and %1$s.svg from %1$s.tsv\n"
    "if (!exists('aside')) aside = ''\n"
    "data = '%1$s.tsv'\n"
    "set datafile separator '\\t'\n"
    "set datafile missing 'nan'\n"
    "set encoding utf8\n"
    "real = '#3b8fc4'\n"
    "fake = '#e08a2e'\n"
    "neutral = '#7a7f87'\n"
    "set border 3 lc rgb neutral lw 1\n"
    "set tics nomirror out\n"
    "set grid lc rgb '#d8dade' lw 0.6 dt 1\n"
    "set key above left Left reverse horizontal samplen 1.6 width 1\n"
    "set xlabel textcolor rgb '#4a4f57'\n"
    "set ylabel textcolor rgb '#4a4f57'\n"
    "set key textcolor rgb '#4a4f57'\n"
    "set style fill solid 0.25 noborder\n"
    "set terminal pngcairo size 1200,840 font 'sans-serif,25' linewidth 2 noenhanced\n"
    "set output '%1$s.png'.aside\n";
static const char EPILOGUE[] =
    "\nset terminal svg size 600,420 font 'sans-serif,15' linewidth 1.3 noenhanced\n"
    "set output '%1$s.svg'.aside\n"
    "replot\n"
    "set output\n";

static void write_table(FILE *stream, const struct plot_table *table)
{
    fputs("#", stream);
    for (int column = 0; column < table->width; column++)
        fprintf(stream, "%s%s", column ? "\t" : "", table->columns[column]);
    fputc('\n', stream);
    for (size_t i = 0; i < table->rows * (size_t)table->width; i++) {
        if (isfinite(table->values[i]))
            fprintf(stream, "%.10g", table->values[i]);
        else
            fputs("nan", stream);
        fputc((i + 1) % (size_t)table->width ? '\t' : '\n', stream);
    }
}

static int publish_data(const char *directory, const char *name, const struct plot_table *tables,
                        size_t count, struct err *err)
{
    CLEANUP(free_ptr) char *path = str_format("%s/%s.tsv", directory, name);
    CLEANUP(free_ptr) char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? "\n\n" : "", stream);
        write_table(stream, &tables[i]);
    }
    if (fclose(stream) != 0)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    return file_publish(path, text, size, err);
}

static int publish_script(const char *directory, const char *name, const char *script, struct err *err)
{
    CLEANUP(free_ptr) char *path = str_format("%s/%s.gp", directory, name);
    CLEANUP(free_ptr) char *head = str_format(PREAMBLE, name);
    CLEANUP(free_ptr) char *tail = str_format(EPILOGUE, name);
    CLEANUP(free_ptr) char *text = str_format("%s%s%s", head, script, tail);
    return file_publish(path, text, strlen(text), err);
}

static int start_gnuplot(const char *directory, char *const *arguments, int errors, pid_t *pid)
{
    CLEANUP(free_ptr) char *path = str_format("PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    CLEANUP(free_ptr) char *home = str_format("HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
    char *const environment[] = {path, home, (char *)"LC_ALL=C.UTF-8", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, directory);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    int code = posix_spawnp(pid, "gnuplot", &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return -code;
}

/* Reads to the end and keeps what fits: the first line that is not empty. */
static void read_errors(int fd, char *text, size_t size)
{
    char chunk[512];
    size_t kept = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got && kept + 1 < size; i++)
            text[kept++] = chunk[i];
    }
    text[kept] = '\0';
    size_t start = strspn(text, " \n\t");
    memmove(text, text + start, kept + 1 - start);
    text[strcspn(text, "\n")] = '\0';
}

/* script: its name, for the error. */
static int run_gnuplot(const char *directory, char *const *arguments, const char *script, struct err *err)
{
    int ends[2], status = 0;
    char errors[400];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
    int code = start_gnuplot(directory, arguments, ends[1], &pid);
    close(ends[1]);
    if (!code) {
        read_errors(ends[0], errors, sizeof errors);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(ends[0]);
    if (code)
        return err_set(err, code, "cannot run gnuplot: %s; install gnuplot-nox", strerror(-code));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, -EIO, "gnuplot %s/%s failed: %s", directory, script, errors);
    return 0;
}

bool plot_possible(void)
{
    char *const arguments[] = {(char *)"gnuplot", (char *)"--version", NULL};
    return run_gnuplot("/", arguments, "--version", NULL) == 0;
}

/* What gnuplot wrote to NAME.part becomes NAME; an empty picture is an error. */
static int publish_picture(const char *directory, const char *name, const char *suffix, struct err *err)
{
    CLEANUP(free_ptr) char *path = str_format("%s/%s.%s", directory, name, suffix);
    CLEANUP(free_ptr) char *aside = str_format("%s.part", path);
    CLEANUP(close_fd) int fd = open(aside, O_RDONLY | O_CLOEXEC);
    struct stat picture;
    if (fd < 0 || fstat(fd, &picture) != 0 || fsync(fd) != 0)
        return err_set(err, -errno, "gnuplot did not write %s: %s", aside, strerror(errno));
    if (picture.st_size == 0)
        return err_set(err, -EIO, "gnuplot left %s empty", aside);
    if (rename(aside, path) != 0)
        return err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
    return 0;
}

int plot_publish(const char *directory, const char *name, const struct plot_table *tables, size_t count,
                 const char *script, struct err *err)
{
    CLEANUP(free_ptr) char *script_name = str_format("%s.gp", name);
    char *const arguments[] = {(char *)"gnuplot",       (char *)"-d", (char *)"-e",
                               (char *)"aside='.part'", script_name,  NULL};
    int code = publish_data(directory, name, tables, count, err);
    if (!code)
        code = publish_script(directory, name, script, err);
    if (!code)
        code = run_gnuplot(directory, arguments, script_name, err);
    if (!code)
        code = publish_picture(directory, name, "png", err);
    return code ? code : publish_picture(directory, name, "svg", err);
}
