#include "daemon/hosts.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <stdio.h>

/* "h1:4 h2:4", of what is given; "" where it is refused. */
static char *found(const struct hosts_given *given)
{
    struct slots slots;
    struct err err = {0};
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (hosts_find(&slots, given, &err) == 0) {
        for (size_t i = 0; i < slots.count; i++)
            fprintf(stream, "%s%s:%d", i ? " " : "", slots.hosts[i].name, slots.hosts[i].total);
        slots_clear(&slots);
    } else {
        assert_contains(err.text, "not understood");
    }
    fclose(stream);
    return text;
}

static void expect(const struct hosts_given *given, const char *hosts)
{
    CLEANUP(free_ptr) char *text = found(given);
    assert_string_equal(text, hosts);
}

static void the_hosts_of_a_slurm_allocation_are_read(void **unused)
{
    (void)unused;
    expect(&(struct hosts_given){.self = "n3", .nodelist = "n[1-3]", .cpus = "4(x3)"}, "n3:4 n1:4 n2:4");
    expect(&(struct hosts_given){.self = "x", .nodelist = "nid[001-002,107],login4", .cpus = "256(x2),8,2"},
           "nid001:256 nid002:256 nid107:8 login4:2");
    expect(&(struct hosts_given){.self = "a", .nodelist = "a.site.org,b-1", .cpus = "2,3"}, "a.site.org:2 b-1:3");
    expect(&(struct hosts_given){.self = "n09", .nodelist = "n[08-11]", .cpus = "1(x4)"}, "n09:1 n08:1 n10:1 n11:1");
}

static void a_list_that_is_none_is_refused(void **unused)
{
    (void)unused;
    static const char *const BAD[] = {"", "n[", "n[]", "n[1", "n[2-1]", "n[a]", "n[1-2]x", "n1,,n2", "n1,n1", "n[1-999999]", "n[-1]"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        expect(&(struct hosts_given){.self = "x", .nodelist = BAD[i]}, "");
    static const char *const CPUS[] = {"4", "4(x3)", "4(x2", "x", "4(x2),", "0(x2)"};
    for (size_t i = 0; i < 4; i++)
        expect(&(struct hosts_given){.self = "x", .nodelist = "n[1-2]", .cpus = CPUS[i]}, "");
    expect(&(struct hosts_given){.self = "x", .nodelist = "n[1-2]", .cpus = CPUS[5]}, "");
    expect(&(struct hosts_given){.self = "x", .hosts = "a:0"}, "");
    expect(&(struct hosts_given){.self = "x", .hosts = "a:1x,b"}, "");
    expect(&(struct hosts_given){.self = "x", .hosts = "a:1,"}, "");
}

static void hosts_are_what_a_person_says_before_what_slurm_says(void **unused)
{
    (void)unused;
    struct hosts_given given = {.self = "b", .hosts = "a:2,b:3", .nodelist = "n[1-2]", .cpus = "4(x2)"};
    expect(&given, "b:3 a:2");
    given.hosts = NULL;
    given.slots = 7;
    expect(&given, "b:7");
}

static void without_an_allocation_there_is_this_host_with_its_cpus(void **unused)
{
    (void)unused;
    struct slots slots;
    assert_int_equal(hosts_find(&slots, &(struct hosts_given){.self = "me"}, NULL), 0);
    assert_true(slots.count == 1 && slots.total >= 1 && !slots.allocated);
    slots_clear(&slots);
}

static void a_lost_host_is_found_in_what_the_launcher_said(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *directory = check_directory(), *path = path_join(directory, "stderr");
    struct slots slots;
    struct placement placement;
    struct job_row row = {.kind = (char *)"train", .ranks = 3, .threads = 1};
    static const char MPIRUN[] = "ORTE has lost communication with a remote daemon.\n\n  HNP daemon   : [[1,0],0] on node h1\n"
                                 "  Remote daemon: [[1,0],2] on node h3\n\nThis is usually",
                      SRUN[] = "srun: error: Node failure on h2\n", OTHER[] = "a rank on node h2 failed\n";
    assert_int_equal(hosts_find(&slots, &(struct hosts_given){.self = "h1", .hosts = "h1:1,h2:1,h3:1,h4:1"}, NULL), 0);
    assert_true(slots_take(&slots, &row, &placement));
    assert_int_equal(hosts_lost(&slots, &placement, path), -1);
    file_publish(path, MPIRUN, strlen(MPIRUN), NULL);
    assert_int_equal(hosts_lost(&slots, &placement, path), 2);
    file_publish(path, SRUN, strlen(SRUN), NULL);
    assert_int_equal(hosts_lost(&slots, &placement, path), 1);
    file_publish(path, OTHER, strlen(OTHER), NULL);
    assert_int_equal(hosts_lost(&slots, &placement, path), -1);
    slots_give(&slots, &placement);
    slots_clear(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hosts_of_a_slurm_allocation_are_read),
        cmocka_unit_test(a_list_that_is_none_is_refused),
        cmocka_unit_test(hosts_are_what_a_person_says_before_what_slurm_says),
        cmocka_unit_test(without_an_allocation_there_is_this_host_with_its_cpus),
        cmocka_unit_test(a_lost_host_is_found_in_what_the_launcher_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
