/* A message from outside: its frames, and the jobs of a submit. The input is the frames, each behind two
 * bytes of its length (little-endian). */
#include "proto/frame.h"
#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

enum { FRAMES_MAX = 6 };

static size_t cut(const uint8_t *data, size_t size, struct frame *frames)
{
    size_t count = 0;
    while (size >= 2 && count < FRAMES_MAX) {
        size_t length = data[0] | (size_t)data[1] << 8;
        data += 2;
        size -= 2;
        if (length > size)
            length = size;
        frames[count++] = (struct frame){data, length};
        data += length;
        size -= length;
    }
    return count;
}

static void parse_jobs(const json_t *body)
{
    static const int64_t IDS[] = {7, 8};
    size_t i;
    json_t *job;
    json_array_foreach(json_object_get(body, "jobs"), i, job)
    {
        CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
        const char *code = NULL;
        struct err err = {0};
        if (message_parse_job(job, IDS, 2, &row, &code, &err) == 0)
            json_decref(message_row(row, &(struct row_extra){0}));
        else
            fuzz_require(code && err.text[0], "a refused job has a code and a sentence");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frames[FRAMES_MAX];
    struct request request;
    const char *code = NULL;
    struct err err = {0};
    int64_t number;
    if (frame_parse(frames, cut(data, size, frames), &request, &code, &err) != 0) {
        fuzz_require(code && err.text[0] && !request.body, "a refused message has a code and a sentence");
        return 0;
    }
    message_int(request.body, "job", 1, &number);
    parse_jobs(request.body);
    request_clear(&request);
    return 0;
}
