/* See screen.h. */
#include "client/screen.h"
#include "client/print.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

static attr_t attributes[STYLE_MAX];
static bool utf8;

static void choose_colors(void)
{
    static const short COLORS_OF[STYLE_MAX] = {-1, COLOR_GREEN, COLOR_RED, COLOR_CYAN, -1, -1};
    const char *refused = getenv("NO_COLOR");
    attributes[STYLE_FAINT] = A_DIM;
    attributes[STYLE_STRONG] = A_BOLD;
    if (!has_colors() || (refused && *refused))
        return;
    start_color();
    use_default_colors();
    for (short i = 1; i < STYLE_MAX; i++) {
        if (COLORS_OF[i] < 0)
            continue;
        init_pair(i, COLORS_OF[i], -1);
        attributes[i] = COLOR_PAIR(i);
    }
}

int screen_open(struct err *err)
{
    if (!print_is_terminal(stdout) || !isatty(STDIN_FILENO))
        return err_set(err, -ENOTTY, "`decoy top` needs a terminal; `decoy watch` and `decoy ls` do without");
    setlocale(LC_CTYPE, "");
    utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return err_set(err, -ENOTTY, "the terminal %s is not known", getenv("TERM"));
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    choose_colors();
    return 0;
}

void screen_close(void)
{
    endwin();
}

int screen_rows(void)
{
    return getmaxy(stdscr);
}

int screen_columns(void)
{
    return getmaxx(stdscr);
}

bool screen_utf8(void)
{
    return utf8;
}

void screen_clear(void)
{
    erase();
}

void screen_put(int row, int column, const char *text, enum screen_style style, bool selected)
{
    int room = screen_columns() - column;
    if (row < 0 || row >= screen_rows() || room <= 0)
        return;
    char *cut = print_columns(text) > room ? print_cut(text, room) : strdup(text);
    attrset(attributes[style] | (selected ? A_REVERSE : 0));
    mvaddstr(row, column, cut);
    for (int i = print_columns(cut); selected && i < room; i++)
        addch(' ');
    attrset(A_NORMAL);
    free(cut);
}

void screen_show(void)
{
    refresh();
}

int screen_key(void)
{
    int key = getch();
    switch (key) {
    case ERR:
        return SCREEN_NONE;
    case KEY_UP:
        return SCREEN_UP;
    case KEY_DOWN:
        return SCREEN_DOWN;
    case KEY_PPAGE:
        return SCREEN_PAGE_UP;
    case KEY_NPAGE:
        return SCREEN_PAGE_DOWN;
    case KEY_RESIZE:
        return SCREEN_RESIZED;
    default:
        return key;
    }
}
