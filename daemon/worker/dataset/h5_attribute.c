/* Attributes and names of h5.h. */
#include "common/str.h"
#include "daemon/worker/dataset/h5_private.h"

#include <errno.h>
#include <string.h>

/* One attribute on its way to the file: `count` items, a scalar when it is 0. */
struct values {
    enum h5_type type;
    size_t width, count;
    void *items;
};

static bool all_are(const json_t *array, bool (*is)(const json_t *))
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        if (!is(item))
            return false;
    }
    return json_array_size(array) > 0;
}

static bool is_text(const json_t *value)
{
    return json_is_string(value);
}

static bool is_integer(const json_t *value)
{
    return json_is_integer(value) || json_is_boolean(value);
}

static bool is_number(const json_t *value)
{
    return json_is_number(value);
}

static void put_item(const struct values *values, size_t i, const json_t *value)
{
    if (values->type == H5_TYPE_TEXT)
        memcpy((char *)values->items + i * values->width, json_string_value(value),
               json_string_length(value));
    else if (values->type == H5_TYPE_REAL64)
        ((double *)values->items)[i] = json_number_value(value);
    else
        ((int64_t *)values->items)[i] =
            json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);
}

static int flatten(const json_t *value, struct values *values)
{
    bool array = json_is_array(value);
    values->count = array ? json_array_size(value) : 0;
    values->width = 1;
    size_t items = array ? values->count : 1;
    for (size_t i = 0; i < items; i++) {
        size_t length = json_string_length(array ? json_array_get(value, i) : value);
        values->width = length > values->width ? length : values->width;
    }
    values->items = calloc(items, values->type == H5_TYPE_TEXT ? values->width : 8);
    if (!values->items)
        return -ENOMEM;
    for (size_t i = 0; i < items; i++)
        put_item(values, i, array ? json_array_get(value, i) : value);
    return 0;
}

/* The value's type, and whether it is one that HDF5 can hold as it is. */
static bool find_type(const json_t *value, enum h5_type *type)
{
    bool array = json_is_array(value);
    if (array ? all_are(value, is_text) : is_text(value))
        *type = H5_TYPE_TEXT;
    else if (array ? all_are(value, is_integer) : is_integer(value))
        *type = H5_TYPE_INT64;
    else if (array ? all_are(value, is_number) : is_number(value))
        *type = H5_TYPE_REAL64;
    else
        return false;
    return true;
}

static int write_values(struct h5 *file, hid_t object, const char *name, const struct values *values,
                        struct err *err)
{
    const size_t bytes = h5_item_size(values->type, values->width) * (values->count ? values->count : 1);
    int code = h5_reserve(file, 2 * bytes, err);
    if (code)
        return code;
    hsize_t extent = values->count;
    hid_t space = values->count ? H5Screate_simple(1, &extent, NULL) : H5Screate(H5S_SCALAR);
    hid_t item = h5_type_make(values->type, values->width);
    if (values->type == H5_TYPE_TEXT)
        H5Tset_cset(item, H5T_CSET_UTF8);
    hid_t attribute = H5Acreate2(object, name, item, space, H5P_DEFAULT, H5P_DEFAULT);
    code = attribute < 0 || H5Awrite(attribute, item, values->items) < 0
               ? h5_fail(file, "write attribute in", name, err)
               : 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Tclose(item);
    H5Sclose(space);
    return code;
}

static int write_attribute(struct h5 *file, hid_t object, const char *name, const json_t *value,
                           struct err *err)
{
    struct values values = {0};
    json_t *text = NULL;
    if (!find_type(value, &values.type)) {
        CLEANUP(free_ptr) char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        text = json_string(dump ? dump : "");
        values.type = H5_TYPE_TEXT;
    }
    int code = flatten(text ? text : value, &values);
    code = code ? err_set(err, code, "out of memory for %s", file->path)
                : write_values(file, object, name, &values, err);
    free(values.items);
    json_decref(text);
    return code;
}

int h5_write_attributes(struct h5 *file, const char *object, const json_t *attributes, struct err *err)
{
    hid_t id = H5Oopen(file->id, object, H5P_DEFAULT);
    if (id < 0)
        return h5_fail(file, "write", object, err);
    int code = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)attributes, name, value)
    {
        if (!json_is_null(value) && !code)
            code = write_attribute(file, id, name, value, err);
    }
    H5Oclose(id);
    return code;
}

/* A text of the file, of `size` bytes at most, as JSON. Bytes that are not UTF-8 give null. */
static json_t *json_of_text(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    if (length && (*text == '{' || *text == '[')) {
        json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
        if (value)
            return value;
    }
    json_t *string = json_stringn(text, length);
    return string ? string : json_null();
}

static json_t *read_items(hid_t attribute, hid_t stored, enum h5_type type, size_t count)
{
    size_t width = type == H5_TYPE_TEXT ? H5Tget_size(stored) : 0;
    CLEANUP(free_ptr) char *items = calloc(count + 1, h5_item_size(type, width));
    hid_t item = h5_type_as(type, width, stored);
    bool good = items && H5Aread(attribute, item, items) >= 0;
    H5Tclose(item);
    if (!good)
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if (type == H5_TYPE_TEXT)
            json_array_append_new(array, json_of_text(items + i * width, width));
        else if (type == H5_TYPE_REAL64)
            json_array_append_new(array, json_real(((double *)items)[i]));
        else
            json_array_append_new(array, json_integer(((int64_t *)items)[i]));
    }
    return array;
}

/* Variable-length texts, as h5py writes them. */
static json_t *read_long_texts(hid_t attribute, hid_t item, hid_t space, size_t count)
{
    CLEANUP(free_ptr) char **texts = calloc(count + 1, sizeof *texts);
    if (!texts || H5Aread(attribute, item, texts) < 0)
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_of_text(texts[i] ? texts[i] : "", SIZE_MAX >> 1));
    H5Dvlen_reclaim(item, space, H5P_DEFAULT, texts);
    return array;
}

/* An attribute as JSON; NULL for one of a type that JSON has no word for. */
static json_t *read_attribute(hid_t attribute)
{
    enum { ITEMS_MAX = 1 << 16 };
    hid_t item = H5Aget_type(attribute), space = H5Aget_space(attribute);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    bool scalar = H5Sget_simple_extent_type(space) == H5S_SCALAR;
    H5T_class_t class = H5Tget_class(item);
    json_t *array = NULL;
    if (count >= 0 && count <= ITEMS_MAX) {
        if (class == H5T_STRING && H5Tis_variable_str(item))
            array = read_long_texts(attribute, item, space, (size_t)count);
        else if (class == H5T_STRING)
            array = read_items(attribute, item, H5_TYPE_TEXT, (size_t)count);
        else if (class == H5T_INTEGER || class == H5T_FLOAT)
            array = read_items(attribute, item, class == H5T_FLOAT ? H5_TYPE_REAL64 : H5_TYPE_INT64,
                               (size_t)count);
    }
    H5Sclose(space);
    H5Tclose(item);
    if (!array || !scalar)
        return array;
    json_t *only = json_incref(json_array_get(array, 0));
    json_decref(array);
    return only;
}

char *h5_text_attribute(hid_t object, const char *name)
{
    if (H5Aexists(object, name) <= 0)
        return NULL;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    json_t *value = attribute < 0 ? NULL : read_attribute(attribute);
    char *text = json_is_string(value) ? str_format("%s", json_string_value(value)) : NULL;
    if (attribute >= 0)
        H5Aclose(attribute);
    json_decref(value);
    return text;
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *argument)
{
    (void)info;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return -1;
    json_t *value = read_attribute(attribute);
    if (value)
        json_object_set_new(argument, name, value);
    H5Aclose(attribute);
    return 0;
}

int h5_read_attributes(struct h5 *file, const char *object, json_t **attributes, struct err *err)
{
    hid_t id = H5Oopen(file->id, object, H5P_DEFAULT);
    if (id < 0)
        return h5_fail(file, "read", object, err);
    *attributes = json_object();
    herr_t status = H5Aiterate2(id, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, *attributes);
    int code = status < 0 ? h5_fail(file, "read attributes of", object, err) : 0;
    H5Oclose(id);
    if (code)
        json_decref(TAKE(*attributes));
    return code;
}

/* Names one after another, each with its NUL. */
struct name_list {
    H5O_type_t type; /* of the objects wanted */
    char *texts;
    size_t count, bytes, room;
};

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *argument)
{
    struct name_list *list = argument;
    H5O_info_t object;
    if (info->type != H5L_TYPE_HARD ||
        H5Oget_info_by_name2(group, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0 ||
        object.type != list->type)
        return 0;
    const size_t size = strlen(name) + 1;
    if (list->bytes + size > list->room) {
        const size_t room = 2 * (list->bytes + size) + 256;
        char *larger = realloc(list->texts, room);
        if (!larger)
            return -1;
        list->texts = larger;
        list->room = room;
    }
    memcpy(list->texts + list->bytes, name, size);
    list->count++;
    list->bytes += size;
    return 0;
}

static int list_names(struct h5 *file, const char *group, H5O_type_t type, char ***names, size_t *count,
                      struct err *err)
{
    struct name_list list = {.type = type};
    herr_t status =
        H5Literate_by_name(file->id, group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, &list, H5P_DEFAULT);
    CLEANUP(free_ptr) char *texts = list.texts;
    if (status < 0)
        return h5_fail(file, "read", group, err);
    const size_t pointers = (list.count + 1) * sizeof **names;
    *names = calloc(1, pointers + list.bytes);
    if (!*names)
        return err_set(err, -ENOMEM, "out of memory for %s", file->path);
    char *next = (char *)*names + pointers;
    if (list.bytes)
        memcpy(next, texts, list.bytes);
    for (size_t i = 0; i < list.count; i++, next += strlen(next) + 1)
        (*names)[i] = next;
    *count = list.count;
    return 0;
}

int h5_names(struct h5 *file, const char *group, char ***names, size_t *count, struct err *err)
{
    return list_names(file, group, H5O_TYPE_DATASET, names, count, err);
}

int h5_group_names(struct h5 *file, const char *group, char ***names, size_t *count, struct err *err)
{
    return list_names(file, group, H5O_TYPE_GROUP, names, count, err);
}
