/* Pipeline files: stages, their params and references, made into the jobs of one submit.
 *
 *   name: demo
 *   params: {seed: 1, prior: null}
 *   stages:
 *     survey: {kind: mock, seed: ${seed}}
 *     fakes:  {kind: inject, survey: ${survey}, prior: ${prior}}
 *
 * A stage's keys are kind, after and after_any (a stage or a list of them: after success, after any end), its kind's
 * fields and the options of every job.
 * ${name} is a param or a stage; a stage stands for its output directory and makes a dependency. Where a param
 * has a stage's name, the stage itself means the param by it and the others mean the stage. `out` is
 * DIRECTORY/STAGE by default. A field whose value is null is not given. Every sentence names
 * FILE:stage:field. */
#ifndef DECOY_CLIENT_PIPELINE_H
#define DECOY_CLIENT_PIPELINE_H

#include "common/cleanup.h"
#include "common/err.h"

#include <jansson.h>

enum { PIPELINE_KEY_MAX = 36 };

struct pipeline;

int pipeline_read(struct pipeline **out, const char *path, struct err *err);

/* The same of a document that is in memory; sentences name path. */
int pipeline_from_json(struct pipeline **out, const char *path, const json_t *document, struct err *err);
void pipeline_destroy(struct pipeline *pipeline);
CLEANUP_DEFINE(pipeline_destroy_ptr, struct pipeline, pipeline_destroy)

const char *pipeline_name(const struct pipeline *pipeline);

/* "NAME=VALUE"; refuses what is no param of the file. */
int pipeline_set(struct pipeline *pipeline, const char *setting, struct err *err);

/* The jobs (proto/README.md: JOB) with their stages' names, in an order in which each comes after those it
 * needs: {"stages": [name...], "jobs": [JOB...]}, a new reference. directory is absolute. key may be NULL:
 * a stage's key is KEY/STAGE. */
int pipeline_plan(struct pipeline *pipeline, const char *directory, const char *key, json_t **plan,
                  struct err *err);

#endif
