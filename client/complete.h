/* `decoy complete WORD...`: what may stand where the last word stands, for the completion of bash and zsh (etc/completion).
 * Not shown by --help. */
#ifndef DECOY_CLIENT_COMPLETE_H
#define DECOY_CLIENT_COMPLETE_H

/* The words are those after `decoy`, the last one as far as it is typed (perhaps ""). Prints a candidate a line, and after a
 * tab what it means; ":files" stands for the names of files. Words that make no sense have no candidates. Returns the exit
 * code, 0. */
int complete_main(int count, char **words);

#endif
