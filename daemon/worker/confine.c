/* See confine.h. The layers are explained in landlock(7) and seccomp(2); the numbers of Landlock's rights that
 * Debian 12's headers do not have yet are from the kernel's include/uapi/linux/landlock.h. */
#include "daemon/worker/confine.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <math.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sched.h>
#include <sys/ioctl.h>

#define FS_TRUNCATE  (1ULL << 14) /* Landlock 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* Landlock 5 */

#define FILE_READ  LANDLOCK_ACCESS_FS_READ_FILE
#define FILE_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define TREE_READ  (FILE_READ | LANDLOCK_ACCESS_FS_READ_DIR)
#define TREE_WRITE                                                                                           \
    (TREE_READ | FILE_WRITE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |                    \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REFER)

/* All that the C library, CFITSIO and HDF5 need to read files and to write one. What is not here gives ENOSYS,
 * at which the C library falls back on an older call, if it has one. */
static const int ALLOWED[] = {SCMP_SYS(read),
                              SCMP_SYS(pread64),
                              SCMP_SYS(readv),
                              SCMP_SYS(preadv),
                              SCMP_SYS(preadv2),
                              SCMP_SYS(write),
                              SCMP_SYS(pwrite64),
                              SCMP_SYS(writev),
                              SCMP_SYS(pwritev),
                              SCMP_SYS(pwritev2),
                              SCMP_SYS(lseek),
                              SCMP_SYS(_llseek),
                              SCMP_SYS(open),
                              SCMP_SYS(openat),
                              SCMP_SYS(close),
                              SCMP_SYS(stat),
                              SCMP_SYS(lstat),
                              SCMP_SYS(fstat),
                              SCMP_SYS(fstat64),
                              SCMP_SYS(fstatat64),
                              SCMP_SYS(newfstatat),
                              SCMP_SYS(statx),
                              SCMP_SYS(statfs),
                              SCMP_SYS(fstatfs),
                              SCMP_SYS(access),
                              SCMP_SYS(faccessat),
                              SCMP_SYS(faccessat2),
                              SCMP_SYS(readlink),
                              SCMP_SYS(readlinkat),
                              SCMP_SYS(getcwd),
                              SCMP_SYS(getdents),
                              SCMP_SYS(getdents64),
                              SCMP_SYS(mkdir),
                              SCMP_SYS(mkdirat),
                              SCMP_SYS(rename),
                              SCMP_SYS(renameat),
                              SCMP_SYS(renameat2),
                              SCMP_SYS(unlink),
                              SCMP_SYS(unlinkat),
                              SCMP_SYS(truncate),
                              SCMP_SYS(ftruncate),
                              SCMP_SYS(fallocate),
                              SCMP_SYS(fsync),
                              SCMP_SYS(fdatasync),
                              SCMP_SYS(sync_file_range),
                              SCMP_SYS(fadvise64),
                              SCMP_SYS(flock),
                              SCMP_SYS(fcntl),
                              SCMP_SYS(dup),
                              SCMP_SYS(umask),
                              SCMP_SYS(poll),
                              SCMP_SYS(ppoll),
                              SCMP_SYS(mmap),
                              SCMP_SYS(mmap2),
                              SCMP_SYS(munmap),
                              SCMP_SYS(mremap),
                              SCMP_SYS(mprotect),
                              SCMP_SYS(madvise),
                              SCMP_SYS(brk),
                              SCMP_SYS(futex),
                              SCMP_SYS(set_robust_list),
                              SCMP_SYS(rseq),
                              SCMP_SYS(sched_yield),
                              SCMP_SYS(sched_getaffinity),
                              SCMP_SYS(set_tid_address),
                              SCMP_SYS(rt_sigaction),
                              SCMP_SYS(rt_sigprocmask),
                              SCMP_SYS(rt_sigreturn),
                              SCMP_SYS(sigreturn),
                              SCMP_SYS(sigaltstack),
                              SCMP_SYS(restart_syscall),
                              SCMP_SYS(clock_gettime),
                              SCMP_SYS(clock_getres),
                              SCMP_SYS(clock_nanosleep),
                              SCMP_SYS(nanosleep),
                              SCMP_SYS(gettimeofday),
                              SCMP_SYS(time),
                              SCMP_SYS(times),
                              SCMP_SYS(getrusage),
                              SCMP_SYS(getrandom),
                              SCMP_SYS(getpid),
                              SCMP_SYS(getppid),
                              SCMP_SYS(gettid),
                              SCMP_SYS(getuid),
                              SCMP_SYS(geteuid),
                              SCMP_SYS(getgid),
                              SCMP_SYS(getegid),
                              SCMP_SYS(getrlimit),
                              SCMP_SYS(uname),
                              SCMP_SYS(sysinfo),
                              SCMP_SYS(exit),
                              SCMP_SYS(exit_group)};

/* What no rank needs: from reaching into other processes to what only administrators may, and where kernels had
 * their holes. */
static const int REFUSED[] = {SCMP_SYS(ptrace),
                              SCMP_SYS(mount),
                              SCMP_SYS(umount2),
                              SCMP_SYS(pivot_root),
                              SCMP_SYS(chroot),
                              SCMP_SYS(unshare),
                              SCMP_SYS(setns),
                              SCMP_SYS(bpf),
                              SCMP_SYS(perf_event_open),
                              SCMP_SYS(userfaultfd),
                              SCMP_SYS(io_uring_setup),
                              SCMP_SYS(keyctl),
                              SCMP_SYS(add_key),
                              SCMP_SYS(request_key),
                              SCMP_SYS(init_module),
                              SCMP_SYS(finit_module),
                              SCMP_SYS(kexec_load),
                              SCMP_SYS(kexec_file_load),
                              SCMP_SYS(open_by_handle_at),
                              SCMP_SYS(pidfd_getfd),
                              SCMP_SYS(move_mount),
                              SCMP_SYS(open_tree),
                              SCMP_SYS(fsopen),
                              SCMP_SYS(swapon),
                              SCMP_SYS(reboot),
                              SCMP_SYS(acct)};

enum { NO_RULES = -1 };

/* AddressSanitizer's shadow takes terabytes of addresses; its search for leaks at the end of a process is by ptrace,
 * which a confined one has not: that process, no other, does without. */
#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
static bool confined;

__attribute__((visibility("default"))) int __lsan_is_turned_off(void); /* the runtime calls ours */
int __lsan_is_turned_off(void)
{
    return confined;
}

static void note_confined(void)
{
    confined = true;
}
#else
enum { SANITIZED = 0 };

static void note_confined(void)
{
}
#endif

static scmp_filter_ctx prepared;

void confinement_allow(struct confinement *may, const char *path)
{
    if (path && may->readable_count < CONFINE_PATHS)
        may->readable[may->readable_count++] = path;
}

/* --- limits --- */

/* A limit never rises above what it was. The kernel warns at the first (SIGXCPU) and ends at limit + beyond. */
static int bound(int resource, rlim_t limit, rlim_t beyond, struct err *err)
{
    struct rlimit old;
    if (getrlimit(resource, &old) != 0)
        return err_set(err, -errno, "cannot read a resource limit: %s", strerror(errno));
    if (old.rlim_max != RLIM_INFINITY && limit > old.rlim_max)
        limit = old.rlim_max;
    const struct rlimit new = {limit, old.rlim_max - limit > beyond ? limit + beyond : limit};
    return setrlimit(resource, &new) == 0 ? 0
                                          : err_set(err, -errno, "cannot set a limit: %s", strerror(errno));
}

static size_t address_space(void)
{
    unsigned long pages = 0;
    CLEANUP(close_stream) FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu", &pages) != 1)
        return 0;
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int set_limits(const struct confinement *may, struct err *err)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double used_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1;
    int code = bound(RLIMIT_CORE, 0, 0, err);
    if (!code && may->cpu_s > 0)
        code = bound(RLIMIT_CPU, (rlim_t)ceil(used_s + may->cpu_s), 1, err);
    if (!code && may->memory && !SANITIZED)
        code = bound(RLIMIT_AS, address_space() + may->memory, 0, err);
    return code;
}

/* --- files --- */

static int landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

/* The rights that this kernel's Landlock knows; all of them are refused but for the rules. */
static uint64_t known_rights(int version)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    if (version >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= FS_TRUNCATE;
    if (version >= 5)
        rights |= FS_IOCTL_DEV;
    return rights;
}

static int allow_path(int rules, const char *path, uint64_t rights, struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return 0; /* not there: nothing to allow */
    if (!S_ISDIR(status.st_mode))
        rights &= FILE_READ | FILE_WRITE;
    const struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
        return 0;
    return err_set(err, -errno, "cannot allow a reader %s: %s", path, strerror(errno));
}

/* Rules that refuse the rights that are handled, as far as this kernel knows them: a descriptor; -1 where there
 * is no Landlock, else a negative errno below that. */
static int make_rules(uint64_t handled, struct err *err)
{
    int version = landlock_version();
    if (!version)
        return NO_RULES;
    const struct landlock_ruleset_attr attributes = {.handled_access_fs = handled & known_rights(version)};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    return rules >= 0 ? rules : err_set(err, -errno, "cannot make Landlock rules: %s", strerror(errno));
}

static int keep_rules(int rules, struct err *err)
{
    return syscall(SYS_landlock_restrict_self, rules, 0) == 0
               ? 0
               : err_set(err, -errno, "cannot confine by Landlock: %s", strerror(errno));
}

static int restrict_files(const struct confinement *may, struct err *err)
{
    CLEANUP(close_fd) int rules = make_rules(~0ULL, err);
    uint64_t known = known_rights(landlock_version());
    int code = 0;
    if (rules < 0)
        return rules == NO_RULES ? 0 : rules;
    for (size_t i = 0; !code && i < may->readable_count; i++)
        code = allow_path(rules, may->readable[i], TREE_READ & known, err);
    if (!code && may->writable)
        code = allow_path(rules, may->writable, TREE_WRITE & known, err);
    return code ? code : keep_rules(rules, err);
}

/* Rights of a rank outside of its directories: to read, to run what it may, and to remove an empty directory, its
 * own when it was refused. */
static int restrict_writing(const char *const *writable, struct err *err)
{
    static const char *const PLACES[] = {"/dev", "/tmp", "/var/tmp", "/run"};
    const uint64_t handled = ~(uint64_t)(TREE_READ | LANDLOCK_ACCESS_FS_EXECUTE |
                                         LANDLOCK_ACCESS_FS_REMOVE_DIR | FS_IOCTL_DEV),
                   known = known_rights(landlock_version());
    CLEANUP(close_fd) int rules = make_rules(handled, err);
    const char *temporary = getenv("TMPDIR");
    int code = 0;
    if (rules < 0)
        return rules == NO_RULES ? 0 : rules;
    for (size_t i = 0; !code && writable[i]; i++)
        code = allow_path(rules, writable[i], handled & known, err);
    for (size_t i = 0; !code && i < sizeof PLACES / sizeof *PLACES; i++)
        code = allow_path(rules, PLACES[i], handled & known, err);
    if (!code && temporary)
        code = allow_path(rules, temporary, handled & known, err);
    return code ? code : keep_rules(rules, err);
}

/* --- system calls --- */

static bool has_seccomp(void)
{
    const uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static int add_rules(scmp_filter_ctx filter)
{
    int code = 0;
    for (size_t i = 0; !code && i < sizeof ALLOWED / sizeof *ALLOWED; i++)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    if (!code) /* is this a terminal? */
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, TCGETS));
    if (!code) /* a limit is read, not set */
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
    if (!code) /* threads, no processes; clone3 hides its flags, and gives way to clone */
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    return code;
}

void confine_prepare(void)
{
    if (prepared || !has_seccomp() || !(prepared = seccomp_init(SCMP_ACT_ERRNO(ENOSYS))))
        return;
    seccomp_attr_set(prepared, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
    if (add_rules(prepared) != 0) {
        seccomp_release(prepared);
        prepared = NULL;
    }
}

/* abort() signals its own process, whose number is known only here; no other may be signalled. */
static int filter_calls(struct err *err)
{
    if (!has_seccomp())
        return 0;
    confine_prepare();
    if (!prepared)
        return err_set(err, -ENOMEM, "cannot make a filter of system calls");
    int code = seccomp_rule_add(prepared, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (!code)
        code = seccomp_load(prepared);
    return code ? err_set(err, code, "cannot filter the system calls of a reader: %s", strerror(-code)) : 0;
}

/* In every thread. */
static int refuse_calls(bool programs, struct err *err)
{
    if (!has_seccomp())
        return 0;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int code = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;
    for (size_t i = 0; !code && i < sizeof REFUSED / sizeof *REFUSED; i++)
        code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), REFUSED[i], 0);
    if (!code && !programs)
        code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(execve), 0);
    if (!code && !programs)
        code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(execveat), 0);
    if (!code)
        code = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return code ? err_set(err, code, "cannot filter system calls: %s", strerror(-code)) : 0;
}

/* --- all of it --- */

int confine(const struct confinement *may, struct err *err)
{
    note_confined();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set(err, -errno, "cannot give up new privileges: %s", strerror(errno));
    int code = set_limits(may, err);
    if (!code)
        code = restrict_files(may, err);
    return code ? code : filter_calls(err);
}

int confine_rank(const char *const *writable, bool programs, struct err *err)
{
    note_confined();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set(err, -errno, "cannot give up new privileges: %s", strerror(errno));
    int code = bound(RLIMIT_CORE, 0, 0, err);
    if (!code)
        code = restrict_writing(writable, err);
    return code ? code : refuse_calls(programs, err);
}

void confine_layers(char *text, size_t size)
{
    int version = landlock_version(), used = snprintf(text, size, "no new privileges, limits");
    if (version && (size_t)used < size)
        used += snprintf(text + used, size - (size_t)used, ", Landlock %d", version);
    if (has_seccomp() && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, ", seccomp");
}

const char *confine_lack(void)
{
    bool landlock = landlock_version() > 0, seccomp = has_seccomp();
    if (!landlock && !seccomp)
        return "this kernel has neither Landlock nor seccomp: what reads the bricks could open any file and "
               "socket";
    if (!landlock)
        return "this kernel has no Landlock: what reads the bricks could open any file of yours";
    return seccomp ? NULL : "this kernel has no seccomp: what reads the bricks could open sockets";
}
