/* Prints "KIND FIELD TYPE REQUIRED" of every field that holds text, for test_injection.py. */
#include "proto/spec.h"

#include <stdio.h>

int main(void)
{
    static const char *const TYPES[SPEC_TYPE_MAX] = {[SPEC_TEXT] = "text",
                                                     [SPEC_CHOICE] = "choice",
                                                     [SPEC_INPUT] = "input",
                                                     [SPEC_OUTPUT] = "output",
                                                     [SPEC_PRESET] = "preset"};
    size_t count;
    const struct spec_kind *kinds = spec_kinds(&count);
    for (size_t k = 0; k < count; k++) {
        for (size_t f = 0; f < kinds[k].count; f++) {
            const struct spec_field *field = &kinds[k].fields[f];
            if (TYPES[field->type])
                printf("%s %s %s %d\n", kinds[k].name, field->name, TYPES[field->type], field->required);
        }
    }
    return 0;
}
