/* test_save_killed [KILLS]: a process that saves checkpoint after checkpoint is killed (-9) at a random moment; what it
 * told to be saved is still there, whole, and the newest. As many rounds as KILLS, or as fit in 12 s. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/rng.h"
#include "common/str.h"
#include "daemon/worker/train/checkpoint.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { COUNT = 20000, KEEP = 3, LEAST_KILLS = 20 };
#define SECONDS 12.0

static long wanted_kills; /* 0: as many as fit */
static float blocks[3 * COUNT];

static struct checkpoint checkpoint_of(int64_t step, json_t *setup)
{
    for (int i = 0; i < 3 * COUNT; i++)
        blocks[i] = (float)(step * 7 + i);
    return (struct checkpoint){.state = {.step = step},
                               .parameters = blocks,
                               .first = blocks + COUNT,
                               .second = blocks + 2 * COUNT,
                               .count = COUNT,
                               .steps_per_epoch = 10,
                               .setup = setup};
}

/* The child: *saved is in shared memory, and so outlives it. */
static void save_for_ever(const char *directory, json_t *setup, volatile int64_t *saved)
{
    struct err err = {0};
    for (int64_t step = *saved + 1;; step++) {
        struct checkpoint checkpoint = checkpoint_of(step, setup);
        if (checkpoint_save(directory, &checkpoint, &err) != 0)
            _exit(1);
        *saved = step;
        if (checkpoint_prune(directory, KEEP, step, 0, &err) != 0)
            _exit(1);
    }
}

static void refuse_warning(void *context, const char *text)
{
    (void)context;
    fail_msg("%s", text);
}

/* The newest is the one that was told last, or the one after it, whose save was done but not yet told. */
static void expect_newest(const char *directory, json_t *setup, int64_t saved)
{
    struct err err = {0};
    struct checkpoint found = checkpoint_of(0, setup);
    int code = checkpoint_load_newest(directory, &found, refuse_warning, NULL, &err);
    if (code == -ENOENT && saved == 0)
        return;
    if (code)
        fail_msg("after step %lld: %s", (long long)saved, err.text);
    assert_true(found.state.step == saved || found.state.step == saved + 1);
    for (int i = 0; i < 3 * COUNT; i++)
        assert_true(blocks[i] == (float)(found.state.step * 7 + i));
}

/* How long a save takes here, in microseconds. */
static uint64_t time_save(const char *directory, json_t *setup, volatile int64_t *saved)
{
    enum { SAVES = 5 };
    struct err err = {0};
    double start_s = clock_monotonic_s();
    for (int i = 0; i < SAVES; i++) {
        struct checkpoint checkpoint = checkpoint_of(++*saved, setup);
        assert_int_equal(checkpoint_save(directory, &checkpoint, &err), 0);
    }
    return (uint64_t)((clock_monotonic_s() - start_s) / SAVES * 1e6) + 1;
}

static void a_save_killed_anywhere_leaves_the_last_one(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    json_t *setup = json_pack("{si ss si}", "batch", 3, "library", "x", "threads", 1);
    volatile int64_t *saved = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct rng rng;
    const char *given = getenv("CRASH_SEED");
    long long seed = given ? atoll(given) : 3;
    rng_init(&rng, (uint64_t)seed, 3, 3);
    long kills = 0, saves = 0;
    uint64_t save_us = time_save(directory, setup, saved);
    for (double end_s = clock_monotonic_s() + SECONDS;
         wanted_kills ? kills < wanted_kills : clock_monotonic_s() < end_s || kills <= LEAST_KILLS; kills++) {
        int64_t before = *saved;
        pid_t child = fork();
        if (child == 0)
            save_for_ever(directory, setup, saved);
        usleep((useconds_t)rng_below(&rng, 3 * save_us));
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        saves += *saved - before;
        expect_newest(directory, setup, *saved);
    }
    printf("RECORD\tT3 saves killed\t%ld\t%lld\t%ld saves told, lost or torn: 0\n", kills, seed, saves);
    assert_true(kills > LEAST_KILLS && saves > 0);
    checkpoint_sweep(directory);
    for (int64_t step = *saved + 1; step > *saved - KEEP - 6 && step > 0; step--) {
        CLEANUP(free_ptr) char *path = checkpoint_path(directory, step);
        unlink(path);
    }
    assert_int_equal(rmdir(directory), 0); /* and nothing else was left */
    json_decref(setup);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_save_killed_anywhere_leaves_the_last_one)};
    wanted_kills = argc > 1 ? atol(argv[1]) : 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
