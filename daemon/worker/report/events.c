/* See events.h. A file is a run of TFRecord frames: u64 length, u32 masked crc32c of those 8 bytes, payload,
 * u32 masked crc32c of the payload, all little-endian; each payload is one Event of tensorboard.proto, the
 * first holding "brain.Event:2". A frame is written by one call on an O_APPEND file, so that a process that
 * dies leaves whole frames and at most one torn one at the end, which every reader ignores. The one output
 * that is not written aside: TensorBoard reads it while training goes. */
#include "daemon/worker/report/events.h"
#include "common/clock.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/report/tensorboard.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <limits.h>
#include <math.h>
#include <string.h>

enum { FRAME_HEAD = 12, FRAME_TAIL = 4, NAME_TRIES = 100, GRAPH_PRODUCER = 22 };

struct events {
    int fd;
    char *path;
};

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t masked_crc(const uint8_t *data, size_t size)
{
    uint32_t crc = ~crc32_iscsi((unsigned char *)data, (int)size, 0xffffffffu);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static int write_frame(struct events *events, uint8_t *frame, size_t size, struct err *err)
{
    put_u32(frame, (uint32_t)size);
    put_u32(frame + 4, 0);
    put_u32(frame + 8, masked_crc(frame, 8));
    put_u32(frame + FRAME_HEAD + size, masked_crc(frame + FRAME_HEAD, size));
    size_t left = FRAME_HEAD + size + FRAME_TAIL;
    while (left) {
        ssize_t written = write(events->fd, frame, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return err_set(err, -errno, "cannot write %s: %s", events->path, strerror(errno));
        frame += written;
        left -= (size_t)written;
    }
    return 0;
}

static int write_event(struct events *events, Tb__Event *event, struct err *err)
{
    event->wall_time = (double)clock_realtime_us() * 1e-6;
    size_t size = tb__event__get_packed_size(event);
    if (size > INT_MAX)
        return err_set(err, -EFBIG, "an event of %zu bytes is too large for %s", size, events->path);
    CLEANUP(free_ptr) uint8_t *frame = malloc(FRAME_HEAD + size + FRAME_TAIL);
    if (!frame)
        return err_set(err, -ENOMEM, "out of memory for %s", events->path);
    tb__event__pack(event, frame + FRAME_HEAD);
    return write_frame(events, frame, size, err);
}

static int write_version(struct events *events, struct err *err)
{
    Tb__Event event = TB__EVENT__INIT;
    event.what_case = TB__EVENT__WHAT_FILE_VERSION;
    event.file_version = (char *)"brain.Event:2";
    return write_event(events, &event, err);
}

/* TensorBoard reads the files of a directory in the order of the seconds in their names: a name that is
 * taken by an earlier file of this process is stepped over. */
static int create_file(struct events *events, const char *directory, const char *suffix)
{
    char host[HOST_NAME_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    int64_t seconds = clock_realtime_us() / 1000000;
    for (int i = 0; i < NAME_TRIES && events->fd < 0; i++) {
        CLEANUP(free_ptr)
        char *name = str_format("events.out.tfevents.%lld.%s.%d.%s", (long long)seconds + i,
                                host[0] ? host : "localhost", (int)getpid(), suffix);
        free(events->path);
        events->path = path_join(directory, name);
        events->fd = open(events->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (events->fd < 0 && errno != EEXIST)
            break;
    }
    return events->fd < 0 ? -errno : 0;
}

int events_open(struct events **out, const char *directory, const char *suffix, struct err *err)
{
    CLEANUP(events_close_ptr) struct events *events = calloc(1, sizeof *events);
    if (!events)
        return err_set(err, -ENOMEM, "out of memory for the event file in %s", directory);
    events->fd = -1;
    int code = create_file(events, directory, suffix);
    if (code)
        return err_set(err, code, "cannot make an event file in %s: %s", directory, strerror(-code));
    code = write_version(events, err);
    if (code)
        return code;
    *out = TAKE(events);
    return 0;
}

void events_close(struct events *events)
{
    if (!events)
        return;
    close_fd(&events->fd);
    free(events->path);
    free(events);
}

static int write_value(struct events *events, int64_t step, Tb__Value *value, struct err *err)
{
    Tb__Summary summary = TB__SUMMARY__INIT;
    Tb__Event event = TB__EVENT__INIT;
    summary.n_value = 1;
    summary.value = &value;
    event.step = step;
    event.what_case = TB__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    return write_event(events, &event, err);
}

int events_scalar(struct events *events, int64_t step, const char *tag, double number, struct err *err)
{
    Tb__Value value = TB__VALUE__INIT;
    value.tag = (char *)tag;
    value.value_case = TB__VALUE__VALUE_SIMPLE_VALUE;
    value.simple_value = (float)number;
    return write_value(events, step, &value, err);
}

int events_image(struct events *events, int64_t step, const char *tag, int width_px, int height_px,
                 const void *png, size_t size, struct err *err)
{
    enum { COLORSPACE_RGB = 3 };
    Tb__Image image = TB__IMAGE__INIT;
    image.width = width_px;
    image.height = height_px;
    image.colorspace = COLORSPACE_RGB;
    image.encoded_image_string = (ProtobufCBinaryData){.len = size, .data = (uint8_t *)png};
    Tb__Value value = TB__VALUE__INIT;
    value.tag = (char *)tag;
    value.value_case = TB__VALUE__VALUE_IMAGE;
    value.image = &image;
    return write_value(events, step, &value, err);
}

/* Least, largest, number and sums. */
static void measure(Tb__Histogram *histogram, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double value = values[i];
        if (!isfinite(value))
            continue;
        histogram->min = histogram->num > 0 ? fmin(histogram->min, value) : value;
        histogram->max = histogram->num > 0 ? fmax(histogram->max, value) : value;
        histogram->num += 1;
        histogram->sum += value;
        histogram->sum_squares += value * value;
    }
}

int events_histogram(struct events *events, int64_t step, const char *tag, const float *values, size_t count,
                     struct err *err)
{
    enum { BUCKETS = 50 };
    double limits[BUCKETS], counts[BUCKETS] = {0};
    Tb__Histogram histogram = TB__HISTOGRAM__INIT;
    measure(&histogram, values, count);
    double width = (histogram.max - histogram.min) / BUCKETS;
    for (int b = 0; b < BUCKETS; b++)
        limits[b] = b == BUCKETS - 1 ? histogram.max : histogram.min + (b + 1) * width;
    for (size_t i = 0; i < count; i++) {
        double place = width > 0 ? ((double)values[i] - histogram.min) / width : BUCKETS - 1;
        if (isfinite(values[i]))
            counts[place < BUCKETS ? (int)place : BUCKETS - 1]++;
    }
    histogram.n_bucket = histogram.n_bucket_limit = BUCKETS;
    histogram.bucket = counts;
    histogram.bucket_limit = limits;
    Tb__Value value = TB__VALUE__INIT;
    value.tag = (char *)tag;
    value.value_case = TB__VALUE__VALUE_HISTO;
    value.histo = &histogram;
    return write_value(events, step, &value, err);
}

/* One node with everything its messages point to. */
struct graph_part {
    Tb__NodeDef node;
    Tb__AttrEntry entry, *entries;
    Tb__AttrValue value;
    Tb__ListValue list;
    Tb__TensorShape shape, *shapes;
    Tb__Dim dim[4], *dims[4];
};

static void fill_part(struct graph_part *part, const struct events_node *from)
{
    tb__node_def__init(&part->node);
    tb__attr_entry__init(&part->entry);
    tb__attr_value__init(&part->value);
    tb__list_value__init(&part->list);
    tb__tensor_shape__init(&part->shape);
    for (int i = 0; i < from->dimensions && i < 4; i++) {
        tb__dim__init(&part->dim[i]);
        part->dim[i].size = from->shape[i];
        part->dims[i] = &part->dim[i];
        part->shape.n_dim++;
    }
    part->shape.dim = part->dims;
    part->shapes = &part->shape;
    part->list.n_shape = 1;
    part->list.shape = &part->shapes;
    part->value.list = &part->list;
    part->entry.key = (char *)"_output_shapes";
    part->entry.value = &part->value;
    part->entries = &part->entry;
    part->node.name = (char *)from->name;
    part->node.op = (char *)from->operation;
    part->node.n_input = (size_t)from->input_count;
    part->node.input = (char **)from->inputs;
    part->node.n_attr = 1;
    part->node.attr = &part->entries;
}

static int write_graph(struct events *events, const Tb__GraphDef *graph, struct err *err)
{
    size_t size = tb__graph_def__get_packed_size(graph);
    CLEANUP(free_ptr) uint8_t *packed = malloc(size ? size : 1);
    if (!packed)
        return err_set(err, -ENOMEM, "out of memory for the graph in %s", events->path);
    tb__graph_def__pack(graph, packed);
    Tb__Event event = TB__EVENT__INIT;
    event.what_case = TB__EVENT__WHAT_GRAPH_DEF;
    event.graph_def = (ProtobufCBinaryData){.len = size, .data = packed};
    return write_event(events, &event, err);
}

int events_graph(struct events *events, const struct events_node *nodes, int count, struct err *err)
{
    CLEANUP(free_ptr) struct graph_part *parts = calloc((size_t)count + 1, sizeof *parts);
    CLEANUP(free_ptr) Tb__NodeDef **pointers = calloc((size_t)count + 1, sizeof *pointers);
    if (!parts || !pointers)
        return err_set(err, -ENOMEM, "out of memory for the graph in %s", events->path);
    for (int i = 0; i < count; i++) {
        fill_part(&parts[i], &nodes[i]);
        pointers[i] = &parts[i].node;
    }
    Tb__VersionDef version = TB__VERSION_DEF__INIT;
    version.producer = GRAPH_PRODUCER;
    Tb__GraphDef graph = TB__GRAPH_DEF__INIT;
    graph.n_node = (size_t)count;
    graph.node = pointers;
    graph.versions = &version;
    return write_graph(events, &graph, err);
}
