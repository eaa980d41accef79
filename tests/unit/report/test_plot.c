#include "daemon/worker/report/plot.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

static const char *const COLUMNS[] = {"x", "y"};
static const double VALUES[] = {0, 1, 1, NAN, 2, 4, 3, 9};
static const struct plot_table TABLES[] = {{COLUMNS, 2, 4, VALUES}, {COLUMNS, 2, 2, VALUES}};

static char *read_in(const char *directory, const char *name)
{
    char *path = path_join(directory, name), *data = NULL;
    size_t size;
    assert_int_equal(file_read(path, 1 << 24, &data, &size, NULL), 0);
    free(path);
    return data;
}

static void remove_tree(char *directory)
{
    char *command = str_format("rm -rf '%s'", directory);
    assert_int_equal(system(command), 0);
    free(command);
    free(directory);
}

static void a_plot_lies_beside_its_data_and_script(void **state)
{
    (void)state;
    char *directory = check_directory();
    assert_int_equal(
        plot_publish(directory, "square", TABLES, 2, "plot data index 0 using 1:2 with lines\n", NULL), 0);
    char *data = read_in(directory, "square.tsv"), *svg = read_in(directory, "square.svg"),
         *png = read_in(directory, "square.png");
    assert_string_equal(data, "#x\ty\n0\t1\n1\tnan\n2\t4\n3\t9\n\n\n#x\ty\n0\t1\n1\tnan\n");
    assert_contains(svg, "<svg");
    assert_memory_equal(png, "\x89PNG", 4);
    /* the user draws it anew, elsewhere */
    char *command =
        str_format("cd '%s' && rm square.png && gnuplot square.gp && test -s square.png", directory);
    assert_int_equal(system(command), 0);
    free(command);
    free(data);
    free(svg);
    free(png);
    remove_tree(directory);
}

static void a_script_that_fails_is_one_sentence(void **state)
{
    (void)state;
    char *directory = check_directory(), *png = path_join(directory, "bad.png");
    struct err err = {0};
    assert_int_equal(plot_publish(directory, "bad", TABLES, 1, "plot nonsense with lines\n", &err), -EIO);
    assert_contains(err.text, "bad.gp");
    assert_null(strchr(err.text, '\n'));
    assert_false(path_exists(png));
    free(png);
    remove_tree(directory);
}

static void without_gnuplot_the_error_says_what_to_install(void **state)
{
    (void)state;
    char *directory = check_directory(), *path = strdup(getenv("PATH"));
    struct err err = {0};
    setenv("PATH", "/nowhere", 1);
    assert_int_equal(plot_publish(directory, "a", TABLES, 1, "plot data\n", &err), -ENOENT);
    setenv("PATH", path, 1);
    assert_contains(err.text, "gnuplot-nox");
    free(path);
    remove_tree(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plot_lies_beside_its_data_and_script),
        cmocka_unit_test(a_script_that_fails_is_one_sentence),
        cmocka_unit_test(without_gnuplot_the_error_says_what_to_install),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
