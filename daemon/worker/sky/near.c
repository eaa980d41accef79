#include "daemon/worker/sky/near.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define DEGREE (M_PI / 180)

struct search {
    const struct near_place *places;
    double limit_deg;
    near_meet *meet;
    void *context;
};

/* Places first .. end-1 of one zone, by right ascension. */
struct zone {
    size_t first, end;
};

static int compare_places(const void *left, const void *right)
{
    const struct near_place *a = left, *b = right;
    if (a->zone != b->zone)
        return a->zone < b->zone ? -1 : 1;
    return (a->ra_deg > b->ra_deg) - (a->ra_deg < b->ra_deg);
}

/* The first place of the zone with a right ascension of at least ra_deg. */
static size_t find_ra(const struct search *search, struct zone zone, double ra_deg)
{
    while (zone.first < zone.end) {
        size_t middle = zone.first + (zone.end - zone.first) / 2;
        if (search->places[middle].ra_deg < ra_deg)
            zone.first = middle + 1;
        else
            zone.end = middle;
    }
    return zone.first;
}

/* By haversines, which stay exact for small angles and at the poles. */
static bool are_near(const struct near_place *one, const struct near_place *two, double limit_deg)
{
    double up = sin(0.5 * DEGREE * (two->dec_deg - one->dec_deg)),
           along = sin(0.5 * DEGREE * (two->ra_deg - one->ra_deg)),
           wide = cos(DEGREE * one->dec_deg) * cos(DEGREE * two->dec_deg),
           limit = sin(0.5 * DEGREE * limit_deg);
    return up * up + wide * along * along <= limit * limit;
}

/* Those of the zone from right ascension low to high that place i is near to. */
static void meet_between(const struct search *search, size_t i, struct zone zone, double low, double high)
{
    const struct near_place *places = search->places;
    for (size_t j = find_ra(search, zone, low); j < zone.end && places[j].ra_deg <= high; j++) {
        if (are_near(&places[i], &places[j], search->limit_deg))
            search->meet(search->context, places[i].index, places[j].index);
    }
}

/* How far in right ascension a place near to one at this declination may lie; 180: anywhere. */
static double reach(double dec_deg, double limit_deg)
{
    double farthest = fabs(dec_deg) + 2 * limit_deg;
    return farthest < 90 ? fmin(180, limit_deg / cos(farthest * DEGREE)) : 180;
}

/* Place i with those behind it in its zone, and across 0. */
static void meet_own(const struct search *search, size_t i, struct zone zone)
{
    double ra = search->places[i].ra_deg, width = reach(search->places[i].dec_deg, search->limit_deg);
    const struct zone behind = {i + 1, zone.end};
    if (width >= 180) {
        meet_between(search, i, behind, 0, 360);
        return;
    }
    meet_between(search, i, behind, ra, ra + width);
    if (ra + width >= 360)
        meet_between(search, i, (struct zone){zone.first, i}, 0, ra + width - 360);
}

/* Place i with those of the zone above. */
static void meet_above(const struct search *search, size_t i, struct zone above)
{
    double ra = search->places[i].ra_deg, width = reach(search->places[i].dec_deg, search->limit_deg);
    if (width >= 180) {
        meet_between(search, i, above, 0, 360);
        return;
    }
    meet_between(search, i, above, ra - width, ra + width);
    if (ra - width < 0)
        meet_between(search, i, above, ra - width + 360, 360);
    if (ra + width >= 360)
        meet_between(search, i, above, 0, ra + width - 360);
}

static struct zone zone_from(const struct near_place *places, size_t first, size_t count)
{
    struct zone zone = {first, first};
    while (zone.end < count && places[zone.end].zone == places[first].zone)
        zone.end++;
    return zone;
}

static void sort(struct near_place *places, size_t count, double limit_deg)
{
    for (size_t i = 0; i < count; i++) {
        places[i].ra_deg = fmod(places[i].ra_deg, 360);
        places[i].ra_deg += places[i].ra_deg < 0 ? 360 : 0;
        places[i].zone = (int32_t)floor((places[i].dec_deg + 90) / limit_deg);
    }
    if (count)
        qsort(places, count, sizeof *places, compare_places);
}

void near_pairs(struct near_place *places, size_t count, double arcsec, near_meet *meet, void *context)
{
    const struct search search = {places, arcsec / 3600, meet, context};
    sort(places, count, search.limit_deg);
    struct zone next = zone_from(places, 0, count);
    for (struct zone zone = next; zone.first < count; zone = next) {
        next = zone_from(places, zone.end, count);
        bool touch = next.first < count && places[next.first].zone == places[zone.first].zone + 1;
        for (size_t i = zone.first; i < zone.end; i++) {
            meet_own(&search, i, zone);
            if (touch)
                meet_above(&search, i, next);
        }
    }
}
