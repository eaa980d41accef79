#include "client/print.h"
#include "tests/unit/check.h"

static void spans_are_short_and_exact(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } CASES[] = {{-1, "0.0 s"},       {0, "0.0 s"},       {0.44, "0.4 s"},     {9.94, "9.9 s"},
                 {9.96, "10 s"},      {59.4, "59 s"},     {59.6, "1 min 0 s"}, {200, "3 min 20 s"},
                 {7500, "2 h 5 min"}, {356400, "4 d 3 h"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[CLOCK_TEXT_MAX];
        assert_string_equal(print_span(CASES[i].seconds, text), CASES[i].text);
    }
}

static void counts_are_short(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } CASES[] = {{0, "0"},       {17, "17"},       {8.5, "8.50"},   {12.34, "12.3"},   {1024, "1024"},
                 {9999, "9999"}, {12345, "12.3k"}, {60e6, "60.0M"}, {1.25e6, "1.25M"}, {999.96, "1000"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[CLOCK_TEXT_MAX];
        assert_string_equal(print_count(CASES[i].number, text), CASES[i].text);
    }
}

static void cut_counts_columns_not_bytes(void **state)
{
    (void)state;
    CLEANUP(free_ptr)
    char *whole = print_cut("Zürich", 6), *cut = print_cut("Zürichsee", 6), *narrow = print_cut("Zürich", 3);
    assert_string_equal(whole, "Zürich");
    assert_string_equal(cut, "Züri..");
    assert_string_equal(narrow, "Zür");
}

static char *table_of(int width)
{
    static const struct table_column COLUMNS[] = {{"id", .right = true}, {"name", .flex = true}, {"state"}};
    CLEANUP(table_destroy_ptr) struct table *table = table_create(COLUMNS, 3);
    table_add(table, (const char *[]){"7", "survey of Zürich", "running"});
    table_add(table, (const char *[]){"12", "x", ""});
    return table_format(table, width);
}

static void table_aligns_its_columns(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *text = table_of(0);
    assert_string_equal(text, "id  name              state\n"
                              " 7  survey of Zürich  running\n"
                              "12  x\n");
}

static void table_cuts_flexible_columns_to_the_width(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *text = table_of(24);
    assert_string_equal(text, "id  name         state\n"
                              " 7  survey of..  running\n"
                              "12  x\n");
}

static void the_widest_column_is_cut_first(void **state)
{
    (void)state;
    static const struct table_column COLUMNS[] = {{"name", .flex = true}, {"detail", .flex = true}};
    CLEANUP(table_destroy_ptr) struct table *table = table_create(COLUMNS, 2);
    table_add(table, (const char *[]){"a name of thirty columns in all", "ten of it."});
    CLEANUP(free_ptr) char *text = table_format(table, 30);
    assert_string_equal(text, "name                detail\na name of thirty..  ten of it.\n");
}

static char *wrapped(const char *text, int at, int indent, int width)
{
    char *result = NULL;
    size_t size;
    FILE *stream = open_memstream(&result, &size);
    print_wrapped(stream, text, at, indent, width);
    fclose(stream);
    return result;
}

static void text_wraps_at_words(void **state)
{
    (void)state;
    CLEANUP(free_ptr)
    char *broken = wrapped("one two three", 2, 3, 10), *whole = wrapped("one two three", 2, 3, 0);
    CLEANUP(free_ptr)
    char *lines = wrapped("one\ntwo", 0, 0, 80), *longer = wrapped("/a/very/long/path x", 0, 2, 8);
    assert_string_equal(broken, "one two\n   three\n");
    assert_string_equal(whole, "one two three\n");
    assert_string_equal(lines, "one\ntwo\n");
    assert_string_equal(longer, "/a/very/long/path\n  x\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_short_and_exact),
        cmocka_unit_test(counts_are_short),
        cmocka_unit_test(cut_counts_columns_not_bytes),
        cmocka_unit_test(table_aligns_its_columns),
        cmocka_unit_test(table_cuts_flexible_columns_to_the_width),
        cmocka_unit_test(the_widest_column_is_cut_first),
        cmocka_unit_test(text_wraps_at_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
