/* See keyfile.h. */
#include "proto/keyfile.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_LIMIT = 64 << 10 };

/* The file's text, in fresh memory. What is checked is what is read: one descriptor for both. */
static int read_private(const char *path, char **text, struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    if (fd < 0 && errno == ELOOP)
        return err_set(err, -ELOOP, "%s is a symbolic link; a key is not followed elsewhere", path);
    if (fd < 0 || fstat(fd, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_size > SECRET_LIMIT)
        return err_set(err, -EINVAL, "%s is no file of keys", path);
    if (status.st_uid != geteuid())
        return err_set(err, -EPERM, "%s belongs to user %u, not to you", path, status.st_uid);
    if (status.st_mode & 077)
        return err_set(err, -EPERM, "%s is open to other users (mode %03o): chmod 600 %s", path,
                       status.st_mode & 0777, path);
    CLEANUP(free_ptr) char *bytes = calloc(1, (size_t)status.st_size + 1);
    if (!bytes)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    if (read(fd, bytes, (size_t)status.st_size) != status.st_size)
        return err_set(err, -EIO, "cannot read %s whole", path);
    *text = TAKE(bytes);
    return 0;
}

static bool copy_key(char out[KEY_SIZE], const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (!text || strlen(text) != KEY_SIZE - 1)
        return false;
    memcpy(out, text, KEY_SIZE);
    return true;
}

int keyfile_read(const char *path, struct keypair *pair, struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    json_t *value = NULL;
    int code = read_private(path, &text, err);
    if (code)
        return code;
    code = json_parse_bytes(text, strlen(text), &value, err);
    if (code)
        return err_prefix(err, "%s", path);
    bool whole = copy_key(pair->public_key, value, "public") && copy_key(pair->secret_key, value, "secret");
    json_decref(value);
    return whole ? 0 : err_set(err, -EINVAL, "%s holds no pair of keys", path);
}

int keyfile_write(const char *path, const struct keypair *pair, struct err *err)
{
    CLEANUP(free_ptr)
    char *text = str_format("{\"public\": \"%s\", \"secret\": \"%s\"}\n", pair->public_key, pair->secret_key);
    return file_publish_private(path, text, strlen(text), err);
}

/* Z85 has '#' too: a line is a key when its first word is as long as one. */
int keyfile_allows(const char *path, const char *public_key, bool *allowed, int *count, struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    int number = 0, code = read_private(path, &text, err);
    *allowed = false;
    *count = 0;
    if (code)
        return code;
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        line += strspn(line, " \t");
        size_t length = strcspn(line, " \t\r");
        number++;
        if (length == KEY_SIZE - 1) {
            *allowed = *allowed || (public_key && strncmp(line, public_key, length) == 0);
            ++*count;
        } else if (length && *line != '#') {
            return err_set(err, -EINVAL, "%s:%d is neither a key of %d characters nor a comment", path,
                           number, KEY_SIZE - 1);
        }
    }
    return 0;
}

int keyfile_allow(const char *path, const char *public_key, const char *who, struct err *err)
{
    CLEANUP(free_ptr)
    char *text =
        str_format("# public keys that decoyd lets in by TCP, one a line: KEY who\n%s %s\n", public_key, who);
    return file_publish_private(path, text, strlen(text), err);
}

int keyfile_read_endpoint(const char *path, struct keyfile_endpoint *endpoint, struct err *err)
{
    json_t *value = NULL;
    int code = json_read_file(path, &value, err);
    if (code)
        return code;
    const char *address = json_string_value(json_object_get(value, "address")),
               *client = json_string_value(json_object_get(value, "client_key"));
    bool whole = address && client && strlen(address) < sizeof endpoint->address &&
                 strncmp(address, "tcp://", 6) == 0 && copy_key(endpoint->server_key, value, "server_key");
    if (whole) {
        CLEANUP(free_ptr) char *directory = path_directory(path);
        CLEANUP(free_ptr)
        char *beside = *client == '/' ? str_format("%s", client) : path_join(directory, client);
        strcpy(endpoint->address, address);
        code = keyfile_read(beside, &endpoint->client, err);
    }
    json_decref(value);
    return whole ? code
                 : err_set(err, -EINVAL, "%s is no endpoint file of decoyd: `decoy up --listen` writes one",
                           path);
}

int keyfile_write_endpoint(const char *path, const char *address, const char *server_key, struct err *err)
{
    json_t *value =
        json_pack("{ss ss ss}", "address", address, "server_key", server_key, "client_key", "client.key");
    int code = json_publish_file(path, value, err);
    json_decref(value);
    return code;
}
