/* What a confined process cannot do, each act beside a control: the same act by an unconfined process works. */
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "daemon/worker/confine.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Where an act takes place: two directories, one to read and one to write, and one of a stranger. */
static char *readable, *writable, *outside;
static const char *home; /* of the user */

static char *in(const char *directory, const char *name)
{
    return path_join(directory, name);
}

static int open_close(char *path, int flags)
{
    CLEANUP(close_fd) int fd = open(path, flags | O_CLOEXEC, 0666);
    free(path);
    return fd >= 0 ? 0 : errno;
}

/* Acts: 0 when they worked, else the errno. */
static int read_a_given_file(void)
{
    return open_close(in(readable, "file"), O_RDONLY);
}

static int write_in_the_output(void)
{
    int code = open_close(in(writable, "new"), O_RDWR | O_CREAT | O_EXCL);
    CLEANUP(free_ptr) char *from = in(writable, "new");
    CLEANUP(free_ptr) char *folder = in(writable, "folder");
    CLEANUP(free_ptr) char *to = in(folder, "new");
    return code                                                                         ? code
           : (mkdir(folder, 0777) && errno != EEXIST) || rename(from, to) || unlink(to) ? errno
                                                                                        : 0;
}

static int read_a_strangers_file(void)
{
    return open_close(in(outside, "file"), O_RDONLY);
}

static int read_passwd(void)
{
    return open_close(in("/etc", "passwd"), O_RDONLY);
}

static int read_by_dots(void)
{
    CLEANUP(free_ptr) char *path = in(readable, "..");
    return open_close(in(path, path_name(outside)), O_RDONLY | O_DIRECTORY);
}

static int read_by_a_link(void)
{
    return open_close(in(readable, "link"), O_RDONLY);
}

static int write_an_input(void)
{
    return open_close(in(readable, "file"), O_WRONLY);
}

static int cut_an_input_short(void)
{
    CLEANUP(free_ptr) char *path = in(readable, "file");
    return truncate(path, 1) ? errno : 0;
}

static int write_outside(void)
{
    return open_close(in(outside, "new"), O_WRONLY | O_CREAT);
}

static int remove_outside(void)
{
    CLEANUP(free_ptr) char *path = in(outside, "doomed");
    return unlink(path) ? errno : 0;
}

static int make_a_link(void)
{
    CLEANUP(free_ptr) char *path = in(writable, "link");
    return symlink("/etc/passwd", path) ? errno : 0;
}

static int change_rights(void)
{
    CLEANUP(free_ptr) char *path = in(outside, "file");
    return chmod(path, 0600) ? errno : 0;
}

static int open_a_socket(void)
{
    CLEANUP(close_fd) int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd >= 0 ? 0 : errno;
}

static int open_a_local_socket(void)
{
    CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd >= 0 ? 0 : errno;
}

static int start_a_program(void)
{
    execl("/bin/true", "true", (char *)NULL); /* ends with 0 where it is let */
    return errno;
}

static int start_a_process(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        return errno;
    waitpid(pid, NULL, 0);
    return 0;
}

static int signal_the_parent(void)
{
    return kill(getppid(), 0) ? errno : 0;
}

static int be_traced(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? errno : 0;
}

static int raise_a_limit(void)
{
    const struct rlimit limit = {1 << 20, 1 << 20}; /* lowered, but set */
    return setrlimit(RLIMIT_FSIZE, &limit) ? errno : 0;
}

static int take_a_gibibyte(void)
{
    void *memory = mmap(NULL, 1 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}

/* --- running them --- */

enum { NOT_CONFINED = 250 };

/* The act's errno in a process of its own. */
static int do_act(int (*act)(void), bool confined)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct confinement may = {.writable = writable, .memory = 512 << 20, .cpu_s = 60};
        struct err err = {0};
        confinement_allow(&may, readable);
        if (confined && confine(&may, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            _exit(NOT_CONFINED);
        }
        _exit(act());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool has(const char *layer)
{
    char layers[128];
    confine_layers(layers, sizeof layers);
    return strstr(layers, layer);
}

static void allowed_acts_work(void **state)
{
    (void)state;
    assert_int_equal(do_act(read_a_given_file, true), 0);
    assert_int_equal(do_act(write_in_the_output, true), 0);
}

struct refused {
    const char *name;
    int (*act)(void);
    int wanted;
};

static void check_refused(const struct refused *acts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int free_hand = do_act(acts[i].act, false), bound = do_act(acts[i].act, true);
        if (free_hand != 0 || bound != acts[i].wanted)
            fail_msg("%s: errno %d free (0 expected), %d confined (%d expected)", acts[i].name, free_hand,
                     bound, acts[i].wanted);
    }
}

#define REFUSED(act, wanted)                                                                                 \
    {                                                                                                        \
#act, act, wanted                                                                                    \
    }

static void files_not_given_are_out_of_reach(void **state)
{
    (void)state;
    if (!has("Landlock"))
        skip();
    static const struct refused ACTS[] = {
        REFUSED(read_a_strangers_file, EACCES), REFUSED(read_passwd, EACCES),
        REFUSED(read_by_dots, EACCES),          REFUSED(read_by_a_link, EACCES),
        REFUSED(write_an_input, EACCES),        REFUSED(cut_an_input_short, EACCES),
        REFUSED(write_outside, EACCES)};
    check_refused(ACTS, sizeof ACTS / sizeof *ACTS);
    assert_int_equal(do_act(remove_outside, true), EACCES);
    assert_int_equal(do_act(remove_outside, false), 0);
}

static void calls_beyond_files_do_not_exist(void **state)
{
    (void)state;
    if (!has("seccomp"))
        skip();
    static const struct refused ACTS[] = {
        REFUSED(open_a_socket, ENOSYS),     REFUSED(open_a_local_socket, ENOSYS),
        REFUSED(start_a_program, ENOSYS),   REFUSED(start_a_process, ENOSYS),
        REFUSED(signal_the_parent, ENOSYS), REFUSED(be_traced, ENOSYS),
        REFUSED(change_rights, ENOSYS),     REFUSED(raise_a_limit, ENOSYS)};
    check_refused(ACTS, sizeof ACTS / sizeof *ACTS);
    assert_int_equal(do_act(make_a_link, true), ENOSYS);
}

static void memory_is_bounded(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    assert_int_equal(do_act(take_a_gibibyte, false), 0);
    assert_int_equal(do_act(take_a_gibibyte, true), ENOMEM);
}

/* --- kernels that lack a layer: a filter that answers for them --- */

static void lack(int call)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), call, 0) || seccomp_load(filter))
        _exit(NOT_CONFINED);
}

static int without_landlock(void)
{
    lack(SCMP_SYS(landlock_create_ruleset));
    const struct confinement may = {0};
    struct err err = {0};
    if (has("Landlock") || !strstr(confine_lack(), "no Landlock") || confine(&may, &err) != 0)
        return 1;
    return open_a_socket() == ENOSYS && read_passwd() == 0 ? 0 : 2;
}

static int without_seccomp(void)
{
    lack(SCMP_SYS(seccomp));
    const struct confinement may = {0};
    struct err err = {0};
    if (has("seccomp") || !strstr(confine_lack(), "no seccomp") || confine(&may, &err) != 0)
        return 1;
    return open_a_socket() == 0 && read_passwd() == EACCES ? 0 : 2;
}

static void kernel_that_lacks_a_layer_keeps_the_other(void **state)
{
    (void)state;
    if (!has("Landlock") || !has("seccomp"))
        skip();
    assert_null(confine_lack());
    assert_int_equal(do_act(without_landlock, false), 0);
    assert_int_equal(do_act(without_seccomp, false), 0);
}

/* --- a rank --- */

/* A checkout may lie below /tmp, where ranks may write; a home does not. */
static int write_at_home(void)
{
    int code = open_close(in(home, "decoy-test-file"), O_WRONLY | O_CREAT);
    CLEANUP(free_ptr) char *path = in(home, "decoy-test-file");
    unlink(path);
    return code;
}

static int as_rank(int (*act)(void), bool programs)
{
    const char *const places[] = {writable, NULL};
    struct err err = {0};
    return confine_rank(places, programs, &err) == 0 ? act() : NOT_CONFINED;
}

static int rank_reads(void)
{
    return as_rank(read_passwd, false);
}

static int rank_writes_its_output(void)
{
    return as_rank(write_in_the_output, false);
}

static int rank_writes_elsewhere(void)
{
    return as_rank(write_at_home, false);
}

static int rank_starts_a_program(void)
{
    return as_rank(start_a_program, false);
}

static int rank_with_plots_starts_a_program(void)
{
    return as_rank(start_a_program, true);
}

static int rank_is_traced(void)
{
    return as_rank(be_traced, true);
}

static int rank_opens_a_socket(void)
{
    return as_rank(open_a_socket, false);
}

static int rank_starts_a_reader(void)
{
    struct confinement may = {0};
    confinement_allow(&may, readable);
    const char *const places[] = {writable, NULL};
    return confine_rank(places, false, NULL) || confine(&may, NULL) ? NOT_CONFINED : read_a_strangers_file();
}

static void rank_writes_in_its_output_only_and_starts_no_program(void **state)
{
    (void)state;
    if (!has("Landlock") || !has("seccomp"))
        skip();
    assert_int_equal(do_act(rank_reads, false), 0);
    assert_int_equal(do_act(rank_writes_its_output, false), 0);
    assert_int_equal(do_act(rank_opens_a_socket, false), 0);
    assert_int_equal(do_act(rank_with_plots_starts_a_program, false), 0);
    assert_int_equal(do_act(write_at_home, false), 0);
    assert_int_equal(do_act(rank_writes_elsewhere, false), EACCES);
    assert_int_equal(do_act(rank_starts_a_program, false), EPERM);
    assert_int_equal(do_act(rank_is_traced, false), EPERM);
    assert_int_equal(do_act(rank_starts_a_reader, false), EACCES);
}

static int lay_files(void **state)
{
    (void)state;
    readable = check_directory();
    writable = check_directory();
    outside = check_directory();
    const struct passwd *user = getpwuid(geteuid());
    home = user ? user->pw_dir : ".";
    CLEANUP(free_ptr) char *ours = in(readable, "file");
    CLEANUP(free_ptr) char *theirs = in(outside, "file");
    CLEANUP(free_ptr) char *doomed = in(outside, "doomed");
    CLEANUP(free_ptr) char *link = in(readable, "link");
    return file_publish(ours, "text", 4, NULL) || file_publish(theirs, "text", 4, NULL) ||
           file_publish(doomed, "text", 4, NULL) || symlink(theirs, link);
}

static int forget_files(void **state)
{
    (void)state;
    free(readable);
    free(writable);
    free(outside);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allowed_acts_work),
        cmocka_unit_test(files_not_given_are_out_of_reach),
        cmocka_unit_test(calls_beyond_files_do_not_exist),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(kernel_that_lacks_a_layer_keeps_the_other),
        cmocka_unit_test(rank_writes_in_its_output_only_and_starts_no_program),
    };
    return cmocka_run_group_tests(tests, lay_files, forget_files);
}
