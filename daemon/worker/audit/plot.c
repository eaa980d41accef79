/* See plot.h. gnuplot runs as a child with an argument vector, in the directory of the plot, so that no path
 * is ever part of a script. */
#include "daemon/worker/audit/plot.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static const char STYLE[] = "set encoding utf8\n"
                            "set border 3 lc '#555555'\n"
                            "set tics nomirror out\n"
                            "set key top right reverse Left\n"
                            "set style line 1 lc '#1f6fb2' lw 2 pt 7 ps 0.4\n"
                            "set style line 2 lc '#d1622b' lw 2 pt 7 ps 0.4\n"
                            "set style line 3 lc '#999999' lw 1 dt 2\n";

/* Exit status, or a negative errno. */
static int run_gnuplot(const char *directory, const char *argument)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;
    char name[] = "gnuplot", plain[] = "-d"; /* -d: no settings of the user's */
    char *arguments[] = {name, plain, (char *)argument, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, directory);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int code = posix_spawnp(&child, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code)
        return -code;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

bool plot_possible(void)
{
    return run_gnuplot("/", "--version") == 0;
}

int plot_draw(const char *directory, const char *name, const char *data, const char *commands,
              const char *plot_line, bool possible, struct err *err)
{
    CLEANUP(free_ptr) char *data_path = str_format("%s/%s.txt", directory, name);
    CLEANUP(free_ptr)
    char *script_name = str_format("%s.gnuplot", name), *script_path = path_join(directory, script_name);
    CLEANUP(free_ptr)
    char *script = str_format(
        "%sDATA = '%s.txt'\n%sset terminal pngcairo size 800,500 font 'sans,11'\nset output '%s.png'\n"
        "%s\nset terminal svg size 800,500 font 'sans,11'\nset output '%s.svg'\nreplot\n",
        STYLE, name, commands, name, plot_line, name);
    int code = file_publish(data_path, data, strlen(data), err);
    if (!code)
        code = file_publish(script_path, script, strlen(script), err);
    if (code || !possible)
        return code;
    int status = run_gnuplot(directory, script_name);
    if (status)
        return err_set(err, -EIO, "gnuplot failed on %s/%s", directory, script_name);
    return 0;
}
