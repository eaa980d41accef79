#include "common/cleanup.h"
#include "common/rng.h"
#include "proto/frame.h"
#include "tests/unit/check.h"

#include <errno.h>

struct parsed {
    struct request request;
    const char *code;
    struct err err;
    int status;
};

static struct parsed parse(const char *const *texts, size_t count)
{
    struct frame frames[8];
    struct parsed parsed = {0};
    for (size_t i = 0; i < count; i++)
        frames[i] = (struct frame){texts[i], strlen(texts[i])};
    parsed.status = frame_parse(frames, count, &parsed.request, &parsed.code, &parsed.err);
    return parsed;
}

static void a_good_message_is_taken_apart(void **unused)
{
    (void)unused;
    struct parsed parsed = parse((const char *[]){"decoy1", "submit", "id-7", "{\"a\": 1}"}, 4);
    assert_int_equal(parsed.status, 0);
    assert_string_equal(parsed.request.verb, "submit");
    assert_int_equal(parsed.request.id_size, 4);
    assert_memory_equal(parsed.request.id, "id-7", 4);
    assert_int_equal(json_integer_value(json_object_get(parsed.request.body, "a")), 1);
    request_clear(&parsed.request);
}

static void a_bad_message_is_refused_with_code_and_sentence(void **unused)
{
    (void)unused;
    static const struct {
        const char *frames[6];
        size_t count;
        const char *code, *part;
    } CASES[] = {
        {{NULL}, 0, "bad_version", "first frame"},
        {{"decoy2", "list", "", "{}"}, 4, "bad_version", "decoy1"},
        {{"", "decoy1", "list", "", "{}"}, 5, "bad_version", "decoy1"},
        {{"decoy1", "list"}, 2, "bad_frame", "four frames"},
        {{"decoy1", "list", "", "{}", ""}, 5, "bad_frame", "four frames"},
        {{"decoy1", "", "", "{}"}, 4, "bad_frame", "verb"},
        {{"decoy1", "LIST", "", "{}"}, 4, "bad_frame", "verb"},
        {{"decoy1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", "{}"}, 4, "bad_frame", "verb"},
        {{"decoy1", "list", "123456789012345678901234567890123", "{}"}, 4, "bad_frame", "32 bytes"},
        {{"decoy1", "list", "", ""}, 4, "bad_frame", "not JSON"},
        {{"decoy1", "list", "", "{"}, 4, "bad_frame", "not JSON"},
        {{"decoy1", "list", "", "[]"}, 4, "bad_frame", "object"},
        {{"decoy1", "list", "", "{\"a\":1,\"a\":2}"}, 4, "bad_frame", "duplicate"},
        {{"decoy1", "list", "", "{\"a\":\"\xff\"}"}, 4, "bad_frame", "not JSON"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct parsed parsed = parse(CASES[i].frames, CASES[i].count);
        assert_int_equal(parsed.status, -EINVAL);
        assert_string_equal(parsed.code, CASES[i].code);
        assert_contains(parsed.err.text, CASES[i].part);
        assert_null(parsed.request.body);
    }
}

static void a_refusal_can_be_sent_to_the_request_it_is_for(void **unused)
{
    (void)unused;
    struct parsed parsed = parse((const char *[]){"decoy1", "list", "abc", "{"}, 4);
    assert_int_equal(parsed.request.id_size, 3);
    assert_memory_equal(parsed.request.id, "abc", 3);
}

static void a_body_above_the_limit_is_refused_unread(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *body = calloc(1, FRAME_BODY_MAX + 1);
    struct frame frames[] = {{"decoy1", 6}, {"list", 4}, {"", 0}, {body, FRAME_BODY_MAX + 1}};
    struct request request;
    const char *code;
    struct err err;
    assert_int_equal(frame_parse(frames, 4, &request, &code, &err), -EINVAL);
    assert_contains(err.text, "1 MiB");
}

static void deep_nesting_is_refused_without_harm(void **unused)
{
    (void)unused;
    CLEANUP(free_ptr) char *body = malloc(FRAME_BODY_MAX + 1);
    memset(body, '[', FRAME_BODY_MAX);
    struct frame frames[] = {{"decoy1", 6}, {"list", 4}, {"", 0}, {body, FRAME_BODY_MAX}};
    struct request request;
    const char *code;
    assert_int_equal(frame_parse(frames, 4, &request, &code, NULL), -EINVAL);
}

static void random_bytes_never_pass(void **unused)
{
    (void)unused;
    struct rng rng;
    rng_init(&rng, 1, 1, 0);
    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[5][48];
        struct frame frames[5];
        size_t count = rng_below(&rng, 6);
        struct request request;
        const char *code = NULL;
        for (size_t i = 0; i < count; i++) {
            size_t size = rng_below(&rng, sizeof bytes[i] + 1);
            for (size_t k = 0; k < size; k++)
                bytes[i][k] = (unsigned char)rng_u32(&rng);
            frames[i] = (struct frame){bytes[i], size};
        }
        if (count > 0 && rng_below(&rng, 2))
            frames[0] = (struct frame){"decoy1", 6};
        if (count > 1 && rng_below(&rng, 2))
            frames[1] = (struct frame){"submit", 6};
        assert_int_equal(frame_parse(frames, count, &request, &code, NULL), -EINVAL);
        assert_non_null(code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_message_is_taken_apart),
        cmocka_unit_test(a_bad_message_is_refused_with_code_and_sentence),
        cmocka_unit_test(a_refusal_can_be_sent_to_the_request_it_is_for),
        cmocka_unit_test(a_body_above_the_limit_is_refused_unread),
        cmocka_unit_test(deep_nesting_is_refused_without_harm),
        cmocka_unit_test(random_bytes_never_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
