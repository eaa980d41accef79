/* See html.h. */
#include "daemon/worker/report/html.h"
#include "common/file.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum { IMAGE_BYTES_MAX = 64 << 20 };

struct html {
    FILE *stream; /* into text */
    char *text;
    size_t size;
};

static const char HEAD[] =
    "<style>\n"
    ":root{color-scheme:light "
    "dark;--ink:#1c1f24;--soft:#5b626d;--line:#dcdfe4;--ground:#fbfbfa;--card:#ffffff;"
    "--distinguishable:#b3401f;--representative:#2a7a4b;--inconclusive:#8a6a12;--link:#2f6f9f}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e6ea;--soft:#9aa1ac;--line:#343941;--ground:#15171b;--"
    "card:#1d2025;"
    "--distinguishable:#ee8a66;--representative:#6fcf97;--inconclusive:#e2bd5a;--link:#7db7de}"
    "img.plot{filter:invert(.89) hue-rotate(180deg)}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--ground);color:var(--ink);font:17px/1.6 Charter,'Bitstream "
    "Charter','Source Serif 4',"
    "Georgia,'DejaVu Serif',serif}\n"
    "main{max-width:1240px;margin:0 auto;padding:2.5rem 1.5rem 5rem}\n"
    "p,ul,table,.narrow{max-width:46rem}\n"
    "h1{font-size:1.9rem;line-height:1.25;font-weight:600;margin:0 0 .6rem}\n"
    "h2{font-size:1.35rem;font-weight:600;margin:3.2rem 0 .5rem;padding-top:1.1rem;border-top:1px solid "
    "var(--line)}\n"
    "h3{font-size:1.05rem;font-weight:600;margin:1.8rem 0 .3rem}\n"
    "p{margin:.5rem 0 1rem}\n"
    ".soft,figcaption,.note{color:var(--soft);font-size:.88rem;line-height:1.5}\n"
    ".outcome{display:inline-block;font:600 .84rem/1 "
    "system-ui,sans-serif;letter-spacing:.04em;text-transform:uppercase;"
    "color:var(--ground);padding:.45em .7em;border-radius:4px;margin-bottom:1rem}\n"
    ".distinguishable{background:var(--distinguishable)}.representative{background:var(--representative)}"
    ".inconclusive{background:var(--inconclusive)}\n"
    ".sentence{font-size:1.32rem;line-height:1.42;max-width:54rem;margin:0 0 .5rem}\n"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(11.5rem,1fr));gap:.2rem "
    "1.6rem;margin:1.6rem 0 0;padding:1rem "
    "1.3rem;background:var(--card);"
    "border:1px solid var(--line);border-radius:6px;max-width:none}\n"
    ".facts div{margin:.3rem 0}.facts b{display:block;font:600 1.22rem/1.3 system-ui,sans-serif;"
    "font-variant-numeric:tabular-nums}.facts "
    "span{display:block;color:var(--soft);font-size:.84rem;line-height:1.45}\n"
    ".warning{border-left:4px solid var(--inconclusive);padding:.35rem 0 .35rem .9rem;margin:.7rem "
    "0;max-width:54rem}.warning p{margin:0}.warning ul{margin:.2rem "
    "0;padding-left:1.2rem;font-size:.92rem;line-height:1.5}\n"
    ".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr));gap:1.2rem}\n"
    "figure{margin:1rem 0}figure img{width:100%;height:auto;display:block}\n"
    "img.gallery{border-radius:4px}figcaption{margin-top:.5rem}\n"
    ".scroll{overflow-x:auto}.scroll img.gallery{min-width:760px}.scroll table.wide{min-width:620px}\n"
    ".single{max-width:600px}\n"
    "table{border-collapse:collapse;font:.88rem/1.45 "
    "system-ui,sans-serif;font-variant-numeric:tabular-nums;margin:.8rem 0}\n"
    "table.wide{max-width:none}\n"
    "th{text-align:left;font-weight:600;color:var(--soft)}th,td{padding:.32rem 1.1rem .32rem "
    "0;border-bottom:1px solid "
    "var(--line);vertical-align:top}\n"
    "td.n,th.n{text-align:right}td.n,th.n,td.span{white-space:nowrap}td.lines{white-space:pre-line;overflow-"
    "wrap:anywhere}\n"
    ".warn{color:var(--inconclusive);font-weight:600}.pass{color:var(--representative)}\n"
    "code{font:.86em ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}\n"
    "@media print{main{max-width:none;padding:0}h2{break-after:avoid}figure{break-inside:avoid}}\n"
    "</style>\n</head>\n<body>\n<main>\n";

static void put_escaped(FILE *stream, const char *text)
{
    for (; *text; text++) {
        const char *name = *text == '&'   ? "&amp;"
                           : *text == '<' ? "&lt;"
                           : *text == '>' ? "&gt;"
                           : *text == '"' ? "&quot;"
                                          : NULL;
        if (name)
            fputs(name, stream);
        else
            fputc(*text, stream);
    }
}

int html_create(struct html **out, const char *title, struct err *err)
{
    CLEANUP(html_destroy_ptr) struct html *html = calloc(1, sizeof *html);
    if (html)
        html->stream = open_memstream(&html->text, &html->size);
    if (!html || !html->stream)
        return err_set(err, -ENOMEM, "out of memory for a page");
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          html->stream);
    put_escaped(html->stream, title);
    fputs("</title>\n", html->stream);
    fputs(HEAD, html->stream);
    *out = TAKE(html);
    return 0;
}

void html_destroy(struct html *html)
{
    if (!html)
        return;
    if (html->stream)
        fclose(html->stream);
    free(html->text);
    free(html);
}

void html_tags(struct html *html, const char *tags)
{
    fputs(tags, html->stream);
}

static void put_format(struct html *html, const char *format, va_list arguments)
{
    CLEANUP(free_ptr) char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    if (text)
        put_escaped(html->stream, text);
}

void html_text(struct html *html, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put_format(html, format, arguments);
    va_end(arguments);
}

void html_element(struct html *html, const char *tag, const char *class_name, const char *format, ...)
{
    va_list arguments;
    if (class_name)
        fprintf(html->stream, "<%s class=\"%s\">", tag, class_name);
    else
        fprintf(html->stream, "<%s>", tag);
    va_start(arguments, format);
    put_format(html, format, arguments);
    va_end(arguments);
    fprintf(html->stream, "</%s>\n", tag);
}

static void put_base64(FILE *stream, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        unsigned long word = (unsigned long)data[i] << 16 | (left > 1 ? (unsigned long)data[i + 1] << 8 : 0) |
                             (left > 2 ? data[i + 2] : 0);
        fputc(digits[word >> 18], stream);
        fputc(digits[word >> 12 & 63], stream);
        fputc(left > 1 ? digits[word >> 6 & 63] : '=', stream);
        fputc(left > 2 ? digits[word & 63] : '=', stream);
    }
}

int html_image(struct html *html, const char *path, const char *class_name, const char *alternative,
               struct err *err)
{
    CLEANUP(free_ptr) char *data = NULL;
    size_t size = 0, length = strlen(path);
    int code = file_read(path, IMAGE_BYTES_MAX, &data, &size, err);
    if (code)
        return code;
    const char *type = length > 4 && strcmp(path + length - 4, ".svg") == 0 ? "image/svg+xml" : "image/png";
    fprintf(html->stream, "<img class=\"%s\" alt=\"", class_name ? class_name : "");
    put_escaped(html->stream, alternative);
    fprintf(html->stream, "\" src=\"data:%s;base64,", type);
    put_base64(html->stream, (const unsigned char *)data, size);
    fputs("\">\n", html->stream);
    return 0;
}

int html_publish(struct html *html, const char *path, struct err *err)
{
    fputs("</main>\n</body>\n</html>\n", html->stream);
    int broken = ferror(html->stream);
    FILE *stream = html->stream;
    html->stream = NULL;
    if (fclose(stream) != 0 || broken)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    return file_publish(path, html->text, html->size, err);
}
