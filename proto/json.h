/* JSON and YAML files of our own or of a user's, into the same jansson values, with limits. */
#ifndef DECOY_PROTO_JSON_H
#define DECOY_PROTO_JSON_H

#include "common/err.h"

#include <jansson.h>
#include <stddef.h>

/* Bytes of a message or a file as JSON. Duplicate keys are refused. *value is a new reference. */
int json_parse_bytes(const char *data, size_t size, json_t **value, struct err *err);

int json_read_file(const char *path, json_t **value, struct err *err);

/* Written aside, fsynced and renamed; indented, keys in their order of insertion. */
int json_publish_file(const char *path, const json_t *value, struct err *err);

/* A YAML file (one document, at most 1 MiB, no anchors) as JSON: plain scalars become null, booleans,
 * integers or reals where YAML 1.2's core schema says so; quoted ones stay strings. Errors name path:line. */
int yaml_read_file(const char *path, json_t **value, struct err *err);

/* The same, and where in the file each value stands: an object lines (NULL: not asked) is filled with {place: line}, a place
 * being keys and indices with slashes between, "vary/rate/2". */
int yaml_read_lines(const char *path, json_t **value, json_t *lines, struct err *err);

/* The same of bytes that are in memory; errors name path all the same. */
int yaml_parse_bytes(const char *path, const char *data, size_t size, json_t **value, struct err *err);

#endif
