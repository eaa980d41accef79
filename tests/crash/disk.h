/* A disk in memory, as a SQLite VFS, whose machine can lose its power. What was written and not synced may then be there, be
 * missing, or be there in part: each file's unsynced writes are taken apart into sectors, of which each survives or not by
 * itself, whatever the order they were written in, and one is torn in the middle. A name that was made or deleted since its
 * directory was synced may be either. */
#ifndef DECOY_TESTS_CRASH_DISK_H
#define DECOY_TESTS_CRASH_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* Makes it the VFS that SQLite uses unless told otherwise; empty. Once. */
void disk_register(void);

void disk_clear(void);

/* The power goes at the write, sync, truncation or deletion that is `operations` from now; 0: never. From then on every call fails. */
void disk_cut_after(uint64_t operations);
bool disk_is_cut(void);

/* The machine comes back. After disk_restart(dice) the files are what a power cut left of them, by seed; after disk_continue what
 * was written (only the process had died). No file may be open. */
void disk_restart(uint64_t seed);
void disk_continue(void);

/* A disk that says it has synced and has not: the control. */
void disk_lie(bool lies);

uint64_t disk_operations(void); /* so far */

#endif
