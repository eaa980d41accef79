#include "daemon/worker/report/html.h"
#include "common/file.h"
#include "common/path.h"
#include "tests/unit/check.h"

#include <errno.h>

static void text_is_escaped_and_pictures_are_embedded(void **state)
{
    (void)state;
    char *directory = check_directory(), *page = path_join(directory, "a.html"),
         *svg = path_join(directory, "a.svg");
    const char *const bytes[] = {"M", "Ma", "Man"}, *const encoded[] = {"base64,TQ==\"", "base64,TWE=\"",
                                                                        "base64,TWFu\""};
    struct html *html = NULL;
    struct err err = {0};
    char *text = NULL;
    size_t size;
    assert_int_equal(html_create(&html, "a < b", NULL), 0);
    html_element(html, "p", "x", "%s & \"%d\"", "<script>", 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(file_publish(svg, bytes[i], strlen(bytes[i]), NULL), 0);
        assert_int_equal(html_image(html, svg, "plot", "it's \"a\" plot", NULL), 0);
    }
    assert_int_equal(html_image(html, "/nowhere/a.png", NULL, "", &err), -ENOENT);
    assert_int_equal(html_publish(html, page, NULL), 0);
    assert_int_equal(file_read(page, 1 << 20, &text, &size, NULL), 0);
    assert_contains(text, "<title>a &lt; b</title>");
    assert_contains(text, "<p class=\"x\">&lt;script&gt; &amp; &quot;3&quot;</p>");
    for (int i = 0; i < 3; i++)
        assert_contains(text, encoded[i]);
    assert_contains(text, "data:image/svg+xml;");
    assert_contains(text, "prefers-color-scheme:dark");
    html_destroy(html);
    unlink(page);
    unlink(svg);
    rmdir(directory);
    free(text);
    free(page);
    free(svg);
    free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_is_escaped_and_pictures_are_embedded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
