/* The header of a FITS image, plain or gzipped, and what is asked of it. */
#include "daemon/worker/sky/fits_header.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(fits_header_close_ptr) struct fits_header *header = NULL;
    struct err err = {0};
    size_t count;
    long long value;
    char text[80];
    if (fits_header_open(&header, fuzz_file(data, size), &err) != 0) {
        fuzz_require(err.text[0], "a refused header has a sentence");
        return 0;
    }
    fits_header_cards(header, &count);
    fits_header_packed(header);
    fits_header_int(header, "NAXIS1", 0, &value, NULL);
    fits_header_text(header, "CTYPE1", text, sizeof text, NULL);
    fits_header_text(header, "CTYPE1", text, 4, NULL);
    return 0;
}
