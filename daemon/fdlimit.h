/* How many files decoyd may have open: one for each connection. */
#ifndef DECOY_DAEMON_FDLIMIT_H
#define DECOY_DAEMON_FDLIMIT_H

/* Raises the soft limit to the hard one, and says so in the log when that leaves room for few clients. */
void fdlimit_raise(void);

/* In a child, before it runs anything else: the limit as it was. Safe between fork and exec. */
void fdlimit_restore(void);

#endif
