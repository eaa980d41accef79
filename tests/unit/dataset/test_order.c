#include "daemon/worker/dataset/dataset_private.h"
#include "tests/unit/check.h"

enum { COUNT = 1000, SHARD = 32 };

static void fill(size_t count, uint64_t seed, uint64_t epoch, uint64_t *rows)
{
    CLEANUP(dataset_order_destroy_ptr) struct dataset_order *order = NULL;
    struct err err = {0};
    assert_int_equal(order_create(&order, count, SHARD, &err), 0);
    dataset_order_begin(order, seed, epoch);
    for (size_t i = 0; i < count; i++)
        rows[i] = dataset_order_at(order, i);
}

static int compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;
    return one < two ? -1 : one > two;
}

static void order_is_a_permutation(void **state)
{
    (void)state;
    static const size_t COUNTS[] = {0, 1, 31, 32, 33, 256, 257, COUNT};
    uint64_t order[COUNT];
    for (size_t c = 0; c < sizeof COUNTS / sizeof *COUNTS; c++) {
        for (uint64_t epoch = 0; epoch < 5; epoch++) {
            fill(COUNTS[c], 3, epoch, order);
            qsort(order, COUNTS[c], sizeof *order, compare);
            for (size_t i = 0; i < COUNTS[c]; i++)
                assert_int_equal(order[i], i);
        }
    }
}

static size_t same_places(uint64_t seed, uint64_t epoch, const uint64_t *order)
{
    uint64_t other[COUNT];
    size_t same = 0;
    fill(COUNT, seed, epoch, other);
    for (size_t i = 0; i < COUNT; i++)
        same += order[i] == other[i];
    return same;
}

static void order_is_a_function_of_seed_and_epoch(void **state)
{
    (void)state;
    uint64_t order[COUNT];
    fill(COUNT, 3, 7, order);
    assert_int_equal(same_places(3, 7, order), COUNT);
    assert_in_range(same_places(3, 8, order), 0, 20);
    assert_in_range(same_places(4, 7, order), 0, 20);
}

static void order_reads_few_shards_at_a_time(void **state)
{
    (void)state;
    enum { WHOLE = 24 * SHARD };
    uint64_t order[WHOLE];
    fill(WHOLE, 3, 1, order);
    for (size_t first = 0; first < WHOLE; first += DATASET_WINDOW * SHARD) {
        uint64_t shards = 0;
        for (size_t i = first; i < first + DATASET_WINDOW * SHARD; i++)
            shards |= 1ull << order[i] / SHARD;
        assert_int_equal(__builtin_popcountll(shards), DATASET_WINDOW);
    }
}

static void order_mixes_the_shards_of_a_window(void **state)
{
    (void)state;
    uint64_t order[COUNT];
    size_t neighbours = 0;
    fill(COUNT, 3, 1, order);
    for (size_t i = 1; i < COUNT; i++)
        neighbours += order[i] / SHARD == order[i - 1] / SHARD;
    assert_in_range(neighbours, COUNT / 16, COUNT / 4); /* an eighth is expected */
}

/* Rows asked for in any order, and again, are those of one pass: what is kept of windows does not show. */
static void order_may_be_asked_for_anywhere(void **state)
{
    (void)state;
    enum { ODD = 40 * SHARD - 5 };
    uint64_t rows[ODD];
    CLEANUP(dataset_order_destroy_ptr) struct dataset_order *order = NULL;
    struct err err = {0};
    fill(ODD, 3, 2, rows);
    assert_int_equal(order_create(&order, ODD, SHARD, &err), 0);
    dataset_order_begin(order, 3, 2);
    for (size_t i = 0; i < 3 * ODD; i++)
        assert_int_equal(dataset_order_at(order, i * 577 % ODD), rows[i * 577 % ODD]);
}

/* A training that was begun by an earlier version goes on as it would have: first rows of an order as they were. */
static void order_stays_what_it_was(void **state)
{
    (void)state;
    static const uint64_t WAS[] = {951, 125, 580, 166, 160, 986, 162, 592}, WAS_LAST[] = {307, 290, 285, 507};
    uint64_t rows[COUNT];
    fill(COUNT, 3, 7, rows);
    assert_memory_equal(rows, WAS, sizeof WAS);
    assert_memory_equal(rows + COUNT - 4, WAS_LAST, sizeof WAS_LAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_a_permutation),
        cmocka_unit_test(order_is_a_function_of_seed_and_epoch),
        cmocka_unit_test(order_reads_few_shards_at_a_time),
        cmocka_unit_test(order_mixes_the_shards_of_a_window),
        cmocka_unit_test(order_may_be_asked_for_anywhere),
        cmocka_unit_test(order_stays_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
