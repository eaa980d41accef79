/* With a path as argument: writes that npy file, for test_npy.py to read. */
#include "common/file.h"
#include "daemon/worker/dataset/npy.h"
#include "tests/unit/check.h"

#include <errno.h>

static void npy_header_is_read_back(void **state)
{
    (void)state;
    char header[NPY_HEADER_MAX];
    struct npy npy;
    const size_t sizes[] = {512, 64, 64, 6};
    for (int rank = 1; rank <= 4; rank++) {
        size_t length = npy_header(header, "<f4", rank, sizes);
        assert_int_equal(length % 64, 0);
        assert_int_equal(npy_parse(&npy, header, length, NULL), 0);
        assert_int_equal(npy.rank, rank);
        assert_memory_equal(npy.sizes, sizes, (size_t)rank * sizeof *sizes);
        assert_string_equal(npy.descr, "<f4");
        assert_int_equal(npy.offset, length);
    }
}

static int parse(const char *text, struct err *err)
{
    char file[512] = "\x93NUMPY\x01";
    struct npy npy;
    size_t length = strlen(text);
    file[8] = (char)length;
    memcpy(file + 10, text, length);
    return npy_parse(&npy, file, 10 + length, err);
}

static void npy_takes_keys_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(parse("{'shape': (3,), 'fortran_order': False, 'descr': '|u1'}\n", NULL), 0);
    assert_int_equal(parse("{'shape': (), 'fortran_order': False, 'descr': '<i8'}\n", NULL), 0);
}

static void npy_refuses_what_it_cannot_hold(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(parse("{'descr': '<f4', 'fortran_order': True, 'shape': (3,), }", &err), -EINVAL);
    assert_contains(err.text, "Fortran");
    assert_int_equal(parse("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", &err),
                     -EINVAL);
    assert_contains(err.text, "plain numbers");
    assert_int_equal(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, -1), }", &err), -EINVAL);
    assert_int_equal(
        parse("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 9), }", &err),
        -EINVAL);
    assert_int_equal(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (1,2,3,4,5,6,7,8,9), }", &err),
                     -EINVAL);
    assert_int_equal(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3", &err), -EINVAL);
    assert_int_equal(parse("", &err), -EINVAL);
}

static void npy_refuses_a_header_cut_short_anywhere(void **state)
{
    (void)state;
    char header[NPY_HEADER_MAX];
    struct npy npy;
    const size_t sizes[] = {512, 64};
    size_t length = npy_header(header, "<f4", 2, sizes);
    for (size_t keep = 0; keep < length; keep++)
        assert_int_equal(npy_parse(&npy, header, keep, NULL), -EINVAL);
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        char file[NPY_HEADER_MAX + 6 * sizeof(float)];
        const size_t sizes[] = {2, 3};
        const float items[] = {0, 1, 2, 3, 4, 5};
        size_t length = npy_header(file, "<f4", 2, sizes);
        memcpy(file + length, items, sizeof items);
        return file_publish(argv[1], file, length + sizeof items, NULL) != 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_header_is_read_back),
        cmocka_unit_test(npy_takes_keys_in_any_order),
        cmocka_unit_test(npy_refuses_what_it_cannot_hold),
        cmocka_unit_test(npy_refuses_a_header_cut_short_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
