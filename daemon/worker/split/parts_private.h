/* Shared by parts.c, cells.c, objects.c and places.c alone. */
#ifndef DECOY_SPLIT_PARTS_PRIVATE_H
#define DECOY_SPLIT_PARTS_PRIVATE_H

#include "daemon/worker/split/parts.h"

int parts_by_cell(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                  struct err *err);
int parts_by_object(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                    struct err *err);

/* parent[i]: a stamp of the same group as stamp i; i itself in a group's root, which is its lowest stamp, whatever
 * the order of joins. places_group begins with groups of one, and joins what stands within an arcsecond. */
int places_group(const struct scan *scan, uint32_t *parent, struct err *err);
void places_join(uint32_t *parent, uint32_t one, uint32_t two);
uint32_t places_root(uint32_t *parent, uint32_t i);

/* Of stamps at one place those leave their part that are not in the first one's. */
int places_drop_copies(struct parts *parts, const struct scan *scan, struct err *err);

/* Gives groups, and with them the stamps in them, to parts. group_of: of each stamp; of_group: room for `groups`
 * parts, filled. */
int parts_give_groups(struct parts *parts, const struct scan *scan, const struct parts_rule *rule,
                      const uint32_t *group_of, size_t groups, const char *noun, uint8_t *of_group,
                      struct err *err);

#endif
