#include "client/dataset.h"
#include "tests/unit/check.h"

#include <stdlib.h>

#define PART(bricks)                                                                                         \
    "{\"examples\": 30, \"real\": 14, \"fake\": 16, \"dropped\": {\"real\": 2, \"fake\": 3}, "               \
    "\"bricks\": " bricks "}"
#define HEAD                                                                                                 \
    "\"rule\": \"whole bricks\", \"counts\": \"natural\", \"seed\": 7, \"stamp\": 64, \"channels\": "        \
    "[\"g\", \"r\"], "

static char *format(const char *text)
{
    json_t *dataset = json_loads(text, 0, NULL);
    assert_non_null(dataset);
    char *lines = dataset_format(dataset, 0);
    json_decref(dataset);
    return lines;
}

static void a_result_and_a_manifest_read_the_same(void **state)
{
    (void)state;
    char *result = format(
        "{" HEAD
        "\"shards\": 2, \"bytes\": 3000000000, \"left_out\": 4, \"parts\": {\"train\": " PART("3") "}}");
    char *manifest =
        format("{" HEAD "\"shards\": [{\"x\": {\"bytes\": 1000000000}, \"y\": {\"bytes\": 500000000}}, "
               "{\"x\": {\"bytes\": 1500000000}}], \"left_out\": 4, \"parts\": {\"train\": " PART(
                   "[\"a\", \"b\", \"c\"]") "}}");
    assert_string_equal(result, manifest);
    assert_contains(result, "rule      whole bricks\n");
    assert_contains(result, "stamps    64 px, g r\n");
    assert_contains(result, "2 shards, 3.00 GB\n");
    assert_contains(result, "4 stamps, in no part\n");
    assert_contains(result, "  train        30    14    16       3                 5\n");
    free(result);
    free(manifest);
}

static void another_result_is_left_to_others(void **state)
{
    (void)state;
    assert_null(format("{\"real\": {\"stamps\": 3}}"));
    assert_null(format("{\"parts\": []}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_and_a_manifest_read_the_same),
        cmocka_unit_test(another_result_is_left_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
