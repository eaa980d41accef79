/* See curve.h. */
#include "daemon/curve.h"

static void thin_out(struct curve *curve)
{
    for (int i = 0; i < CURVE_POINTS / 2; i++) {
        curve->step[i] = curve->step[2 * i];
        curve->loss[i] = curve->loss[2 * i];
    }
    curve->count = CURVE_POINTS / 2;
    curve->stride *= 2;
}

void curve_add(struct curve *curve, const json_t *row)
{
    const json_t *step = json_object_get(row, "step"), *loss = json_object_get(row, "loss");
    if (!json_is_number(step) || !json_is_number(loss))
        return;
    if (curve->stride == 0)
        curve->stride = 1;
    if (curve->skipped++ % curve->stride)
        return;
    if (curve->count == CURVE_POINTS)
        thin_out(curve);
    curve->step[curve->count] = json_number_value(step);
    curve->loss[curve->count++] = json_number_value(loss);
}

json_t *curve_json(const struct curve *curve)
{
    if (curve->count == 0)
        return NULL;
    json_t *points = json_array();
    for (int i = 0; i < curve->count; i++)
        json_array_append_new(points, json_pack("[ff]", curve->step[i], curve->loss[i]));
    return points;
}
