/* Shared by parts.c, cells.c and objects.c alone. */
#ifndef DECOY_SPLIT_PARTS_PRIVATE_H
#define DECOY_SPLIT_PARTS_PRIVATE_H

#include "daemon/worker/split/parts.h"

int parts_by_cell(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                  struct err *err);
int parts_by_object(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                    struct err *err);

/* Gives groups, and with them the stamps in them, to parts. group_of: of each stamp; of_group: room for `groups`
 * parts, filled. */
int parts_give_groups(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                      const uint32_t *group_of, size_t groups, const char *noun, uint8_t *of_group,
                      struct err *err);

#endif
