/* See fits_header.h. A FITS file is a chain of HDUs: a header of 80-character cards in blocks of 2880 bytes
 * up to END, then data, whose size the header gives, filled up to a whole block (FITS standard 4.0, 3.3
 * and 4.4). */
#include "daemon/worker/sky/fits_header.h"
#include "common/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum { BLOCK = 2880, CARD = 80, KEY = 8, HDU_MAX = 64, HEADER_MAX = 8 << 20, AXES_MAX = 9 };

#define DATA_MAX (1LL << 50)

struct fits_header {
    char *path;
    char *cards;
    size_t count, room; /* cards, bytes */
    int hdu;
    long long data_at, data_size;
};

static void close_gz(gzFile *file)
{
    if (*file)
        gzclose(*file);
}

void fits_header_close(struct fits_header *header)
{
    if (!header)
        return;
    free(header->path);
    free(header->cards);
    free(header);
}

int fits_header_hdu(const struct fits_header *header)
{
    return header->hdu;
}

long long fits_header_data(const struct fits_header *header, long long *size)
{
    *size = header->data_size;
    return header->data_at;
}

const char *fits_header_cards(const struct fits_header *header, size_t *count)
{
    *count = header->count;
    return header->cards;
}

/* Cards are not ended by a NUL: nothing but bounded looks at them. */
static bool blank(const char *from, const char *end)
{
    while (from < end && *from == ' ')
        from++;
    return from == end;
}

/* Does the card's name equal `name`? Without regard to case, as CFITSIO might compare. */
static bool card_is(const char *card, const char *name)
{
    size_t length = strlen(name);
    return strncasecmp(card, name, length) == 0 && blank(card + length, card + KEY);
}

static int find_card(const struct fits_header *header, const char *name, const char **card, struct err *err)
{
    *card = NULL;
    for (size_t i = 0; i < header->count; i++) {
        const char *at = header->cards + i * CARD;
        if (!card_is(at, name))
            continue;
        if (*card)
            return err_set(err, -EINVAL, "%s: its header has %s twice", header->path, name);
        if (at[KEY] != '=')
            return err_set(err, -EINVAL, "%s: %s in its header has no value", header->path, name);
        *card = at;
    }
    return 0;
}

/* The value field, without blanks around it, up to a comment. */
void fits_card_value(const char *card, char value[80])
{
    const char *at = card + KEY + 1, *end = card + CARD;
    while (at < end && *at == ' ')
        at++;
    size_t length = 0;
    if (at < end && *at == '\'') {
        for (at++; at < end && *at != '\''; at++)
            value[length++] = *at >= ' ' && *at <= '~' ? *at : '?';
    } else {
        for (; at < end && *at != '/'; at++)
            value[length++] = *at >= ' ' && *at <= '~' ? *at : '?';
    }
    while (length && value[length - 1] == ' ')
        length--;
    value[length] = '\0';
}

int fits_header_int(const struct fits_header *header, const char *name, long long fallback, long long *value,
                    struct err *err)
{
    char text[CARD];
    const char *card;
    int64_t number;
    *value = fallback;
    int code = find_card(header, name, &card, err);
    if (code || !card)
        return code;
    fits_card_value(card, text);
    if (!str_to_int(text, &number))
        return err_set(err, -EINVAL, "%s: %s in its header is \"%.30s\", no integer", header->path, name,
                       text);
    *value = number;
    return 0;
}

int fits_header_text(const struct fits_header *header, const char *name, char *value, size_t size,
                     struct err *err)
{
    char text[CARD] = "";
    const char *card;
    int code = find_card(header, name, &card, err);
    if (!code && card)
        fits_card_value(card, text);
    if (!code)
        snprintf(value, size, "%.*s", (int)size - 1, text);
    return code;
}

bool fits_header_packed(const struct fits_header *header)
{
    char value[CARD];
    return fits_header_text(header, "ZIMAGE", value, sizeof value, NULL) == 0 && value[0] == 'T';
}

static bool is_end(const char *card)
{
    return strncmp(card, "END", 3) == 0 && blank(card + 3, card + CARD);
}

/* Room for one block more. */
static int make_room(struct fits_header *header, struct err *err)
{
    size_t used = header->count * CARD;
    if (used + BLOCK <= header->room)
        return 0;
    size_t room = 2 * used + BLOCK;
    char *grown = used + BLOCK <= HEADER_MAX ? realloc(header->cards, room) : NULL;
    if (!grown)
        return err_set(err, -ENOMEM, "%s: a header of over %d MiB", header->path, HEADER_MAX >> 20);
    header->cards = grown;
    header->room = room;
    return 0;
}

/* Appends one block; *ended when END was in it. 1: the file is at its end. */
static int read_block(struct fits_header *header, gzFile file, bool *ended, struct err *err)
{
    size_t used = header->count * CARD;
    int code = make_room(header, err);
    if (code)
        return code;
    int got = gzread(file, header->cards + used, BLOCK);
    if (got <= 0 && !used)
        return 1;
    if (got < BLOCK)
        return err_set(err, -EIO, "%s is cut short: a header ends before its END card", header->path);
    for (int i = 0; i < BLOCK / CARD && !*ended; i++) {
        *ended = is_end(header->cards + used + i * CARD);
        header->count += !*ended;
    }
    return 0;
}

/* The cards that the standard wants first: SIMPLE = T, or XTENSION, then BITPIX and NAXIS. Where they are not, CFITSIO
 * reads nothing, and neither do we. */
static int check_first(const struct fits_header *header, struct err *err)
{
    char simple[CARD];
    int code = fits_header_text(header, header->hdu == 1 ? "SIMPLE" : "XTENSION", simple, sizeof simple, err);
    if (!code &&
        (header->count < 3 || !card_is(header->cards + CARD, "BITPIX") ||
         !card_is(header->cards + 2 * CARD, "NAXIS") || (header->hdu == 1 && strcmp(simple, "T") != 0)))
        code = err_set(err, -EINVAL, "%s: HDU %d does not begin as FITS wants it: %s, BITPIX, NAXIS",
                       header->path, header->hdu, header->hdu == 1 ? "SIMPLE = T" : "XTENSION");
    return code;
}

/* The next HDU's header. 1: there is none. */
static int read_header(struct fits_header *header, gzFile file, struct err *err)
{
    const char *expected = header->hdu == 1 ? "SIMPLE" : "XTENSION";
    bool ended = false, begun = true;
    header->count = 0;
    int code = 0;
    while (!ended && begun && !code) {
        code = read_block(header, file, &ended, err);
        begun = !code && header->count && card_is(header->cards, expected);
    }
    if (code)
        return code;
    if (!begun)
        return header->hdu > 1
                   ? 1
                   : err_set(err, -EINVAL, "%s is no FITS file: it does not begin with SIMPLE", header->path);
    return check_first(header, err);
}

/* Bytes of the data that follow, whole blocks; *axes is NAXIS. */
static int data_size(const struct fits_header *header, long long *size, long long *axes, struct err *err)
{
    long long bits, extra, groups, side;
    int code = fits_header_int(header, "BITPIX", 8, &bits, err);
    if (!code)
        code = fits_header_int(header, "NAXIS", 0, axes, err);
    if (!code)
        code = fits_header_int(header, "PCOUNT", 0, &extra, err);
    if (!code)
        code = fits_header_int(header, "GCOUNT", 1, &groups, err);
    if (!code && (*axes < 0 || *axes > AXES_MAX || extra < 0 || groups != 1 || bits < -64 || bits > 64))
        code =
            err_set(err, -EINVAL, "%s: the header of HDU %d makes no sense (BITPIX, NAXIS, PCOUNT or GCOUNT)",
                    header->path, header->hdu);
    long long items = *axes > 0;
    for (int i = 1; i <= *axes && !code; i++) {
        char name[24];
        snprintf(name, sizeof name, "NAXIS%d", i);
        code = fits_header_int(header, name, -1, &side, err);
        if (!code && side < 0)
            code = err_set(err, -EINVAL, "%s: %s in HDU %d is missing or negative", header->path, name,
                           header->hdu);
        if (!code && side && items > DATA_MAX / side)
            code = err_set(err, -EINVAL, "%s: %s in HDU %d is %lld", header->path, name, header->hdu, side);
        if (!code)
            items *= side;
    }
    if (!code && extra > DATA_MAX)
        code = err_set(err, -EINVAL, "%s: PCOUNT in HDU %d is %lld", header->path, header->hdu, extra);
    if (!code)
        *size = (items * (llabs(bits) / 8) + extra + BLOCK - 1) / BLOCK * BLOCK;
    return code;
}

enum kind { IMAGE, TABLE, PRIMARY };

static bool is_kind(const struct fits_header *header, enum kind kind, long long axes)
{
    char type[CARD];
    bool packed = fits_header_packed(header);
    if (kind == PRIMARY || (packed && kind == IMAGE))
        return true;
    if (fits_header_text(header, "XTENSION", type, sizeof type, NULL) != 0)
        return false;
    if (kind == TABLE)
        return header->hdu > 1 && !packed && strcmp(type, "BINTABLE") == 0;
    return axes > 0 && (header->hdu == 1 || strcmp(type, "IMAGE") == 0);
}

static int find_hdu(struct fits_header *header, gzFile file, enum kind kind, struct err *err)
{
    for (header->hdu = 1; header->hdu <= HDU_MAX; header->hdu++) {
        long long size = 0, axes;
        int code = read_header(header, file, err);
        if (code == 1)
            break;
        if (!code)
            code = data_size(header, &size, &axes, err);
        header->data_at = gztell(file);
        header->data_size = size;
        if (code || is_kind(header, kind, axes))
            return code;
        if (gzseek(file, size, SEEK_CUR) < 0)
            return err_set(err, -EIO, "cannot read %s behind HDU %d", header->path, header->hdu);
    }
    return err_set(err, -EINVAL, "%s holds no %s", header->path, kind == TABLE ? "binary table" : "image");
}

static int open_kind(struct fits_header **out, const char *path, enum kind kind, struct err *err)
{
    CLEANUP(fits_header_close_ptr) struct fits_header *header = calloc(1, sizeof *header);
    CLEANUP(close_gz) gzFile file = gzopen(path, "rbe");
    if (!header)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    if (!file)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    header->path = str_format("%s", path);
    int code = find_hdu(header, file, kind, err);
    if (!code)
        *out = TAKE(header);
    return code;
}

int fits_header_open(struct fits_header **out, const char *path, struct err *err)
{
    return open_kind(out, path, IMAGE, err);
}

int fits_header_open_table(struct fits_header **out, const char *path, struct err *err)
{
    return open_kind(out, path, TABLE, err);
}

int fits_header_open_primary(struct fits_header **out, const char *path, struct err *err)
{
    return open_kind(out, path, PRIMARY, err);
}
