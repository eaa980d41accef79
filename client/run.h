/* A plan of jobs in a directory, submitted as one and followed to its end: by the verbs run and sweep. */
#ifndef DECOY_CLIENT_RUN_H
#define DECOY_CLIENT_RUN_H

#include "client/client.h"
#include "client/endpoint.h"

struct run {
    const char *name; /* borrowed: the jobs' group */
    char *directory;
    json_t *plan; /* {"stages", "jobs"}, see pipeline_plan */
    json_t *ids;  /* in the order of the plan */
    json_t *rows; /* the same, once followed */
};

/* A word with a slash, or that ends with .yaml, is a path; else a preset of a folder of etc/. *path is fresh memory. */
int run_find_file(const char *folder, const char *word, char **path, struct err *err);

/* Each returns an exit code, with a sentence unless it is EXIT_DONE. */
int run_submit(const struct client *client, struct run *run, struct endpoint **endpoint, struct err *err);
int run_detach(const struct client *client, const struct run *run); /* tells how to come back */
int run_follow(const struct client *client, struct run *run, struct endpoint *endpoint, struct err *err);

void run_tell_failures(const struct run *run);
void run_close(struct run *run); /* frees what it holds */

#endif
