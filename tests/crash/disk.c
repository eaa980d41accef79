/* See disk.h. A file is what its readers see (`now`) and what is surely on the platter (`safe`), with the list of changes that lead
 * from the second to the first. As with a POSIX file system the sync of a file says nothing of its name; SQLite's unix VFS syncs the
 * directory when it first syncs a journal or WAL that it made, and so does this one. */
#include "tests/crash/disk.h"
#include "common/err.h"
#include "common/rng.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 8, SECTOR = 512, NAME = 512 };

struct content {
    unsigned char *data;
    int64_t size, room;
};

struct edit { /* data NULL: cut to `at` bytes */
    int64_t at;
    int size;
    unsigned char *data;
};

struct file {
    char name[NAME];
    struct content now, safe;
    struct edit *edits;
    int edit_count, edit_room;
    bool there, safely_there; /* its name */
};

struct handle {
    sqlite3_file base;
    struct file *file;
    bool sync_directory;
};

static struct {
    struct file files[FILES];
    uint64_t operations, cut_at;
    bool cut, lies;
    sqlite3_vfs vfs, *host;
} disk;

/* --- contents --- */

static void resize(struct content *content, int64_t size)
{
    if (size > content->room) {
        content->room = size * 2;
        content->data = realloc(content->data, (size_t)content->room);
        if (!content->data)
            abort();
    }
    if (size > content->size)
        memset(content->data + content->size, 0, (size_t)(size - content->size));
    content->size = size;
}

static void put(struct content *content, int64_t at, const void *data, int size)
{
    if (at + size > content->size)
        resize(content, at + size);
    if (size > 0)
        memcpy(content->data + at, data, (size_t)size);
}

static void copy(struct content *to, const struct content *from)
{
    resize(to, from->size);
    if (from->size)
        memcpy(to->data, from->data, (size_t)from->size);
}

static void forget_edits(struct file *file)
{
    for (int i = 0; i < file->edit_count; i++)
        free(file->edits[i].data);
    file->edit_count = 0;
}

/* All of them are on the platter. */
static void settle(struct file *file)
{
    for (int i = 0; i < file->edit_count; i++) {
        if (file->edits[i].data)
            put(&file->safe, file->edits[i].at, file->edits[i].data, file->edits[i].size);
        else
            resize(&file->safe, file->edits[i].at);
    }
    forget_edits(file);
}

static void add_edit(struct file *file, int64_t at, const void *data, int size)
{
    if (file->edit_count == file->edit_room) {
        file->edit_room = file->edit_room ? 2 * file->edit_room : 64;
        file->edits = realloc(file->edits, (size_t)file->edit_room * sizeof *file->edits);
        if (!file->edits)
            abort();
    }
    struct edit *edit = &file->edits[file->edit_count++];
    *edit = (struct edit){.at = at, .size = size};
    if (data)
        edit->data = memcpy(malloc((size_t)size), data, (size_t)size);
}

/* --- power --- */

/* Counts an operation; true when the power has gone. */
static bool is_dark(void)
{
    disk.operations++;
    if (disk.cut_at && disk.operations >= disk.cut_at)
        disk.cut = true;
    return disk.cut;
}

/* Sector by sector: of each a part that is in the write. */
static void survive_write(struct content *safe, const struct edit *edit, double share, struct rng *dice)
{
    for (int64_t at = edit->at, end = edit->at + edit->size; at < end;) {
        int64_t next = (at / SECTOR + 1) * SECTOR;
        int size = (int)((next < end ? next : end) - at);
        double fate = rng_uniform(dice);
        if (fate < share)
            put(safe, at, edit->data + (at - edit->at), size);
        else if (fate < share + 0.05) /* torn */
            put(safe, at, edit->data + (at - edit->at), (int)(rng_uniform(dice) * size));
        at += size;
    }
}

static void survive(struct file *file, struct rng *dice)
{
    static const double SHARES[] = {0, 0.1, 0.5, 0.9, 1}; /* of the sectors, in this cut */
    double share = SHARES[rng_below(dice, 5)];
    for (int i = 0; i < file->edit_count; i++) {
        if (file->edits[i].data)
            survive_write(&file->safe, &file->edits[i], share, dice);
        else if (rng_uniform(dice) < share)
            resize(&file->safe, file->edits[i].at);
    }
    forget_edits(file);
    copy(&file->now, &file->safe);
    if (file->there != file->safely_there)
        file->there = file->safely_there = rng_uniform(dice) < 0.5;
    if (!file->there) {
        resize(&file->now, 0);
        resize(&file->safe, 0);
    }
}

void disk_restart(uint64_t seed)
{
    struct rng dice;
    rng_init(&dice, seed, 0x6469736b, 0);
    for (int i = 0; i < FILES; i++)
        survive(&disk.files[i], &dice);
    disk_continue();
}

void disk_continue(void)
{
    disk.cut = false;
    disk.cut_at = 0;
}

void disk_clear(void)
{
    for (int i = 0; i < FILES; i++) {
        struct file *file = &disk.files[i];
        forget_edits(file);
        free(file->edits);
        free(file->now.data);
        free(file->safe.data);
        memset(file, 0, sizeof *file);
    }
    disk_continue();
}

void disk_cut_after(uint64_t operations)
{
    disk.cut_at = operations ? disk.operations + operations : 0;
}

bool disk_is_cut(void)
{
    return disk.cut;
}

void disk_lie(bool lies)
{
    disk.lies = lies;
}

uint64_t disk_operations(void)
{
    return disk.operations;
}

static void sync_names(void)
{
    for (int i = 0; i < FILES; i++)
        disk.files[i].safely_there = disk.files[i].there;
}

/* In place of the one in common/file.h: the directory is here. */
int __wrap_file_sync_directory(const char *directory, struct err *err);
int __wrap_file_sync_directory(const char *directory, struct err *err)
{
    (void)directory;
    if (is_dark())
        return err_set(err, -EIO, "the power is gone");
    if (!disk.lies)
        sync_names();
    return 0;
}

/* --- what SQLite calls --- */

static int file_close(sqlite3_file *base)
{
    (void)base;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *data, int size, sqlite3_int64 at)
{
    const struct content *now = &((struct handle *)base)->file->now;
    int64_t there = now->size - at;
    if (disk.cut)
        return SQLITE_IOERR_READ;
    int got = there >= size ? size : there > 0 ? (int)there : 0;
    if (got)
        memcpy(data, now->data + at, (size_t)got);
    memset((char *)data + got, 0, (size_t)(size - got));
    return got == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    struct file *file = ((struct handle *)base)->file;
    if (disk.cut)
        return SQLITE_IOERR_WRITE;
    add_edit(file, at, data,
             size); /* that under way when the power goes may be done in part, when the process dies, whole */
    put(&file->now, at, data, size);
    if (is_dark())
        return SQLITE_IOERR_WRITE;
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct file *file = ((struct handle *)base)->file;
    if (is_dark())
        return SQLITE_IOERR_TRUNCATE;
    add_edit(file, size, NULL, 0);
    resize(&file->now, size);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct handle *handle = (struct handle *)base;
    (void)flags;
    if (is_dark())
        return SQLITE_IOERR_FSYNC;
    if (disk.lies)
        return SQLITE_OK;
    settle(handle->file);
    if (handle->sync_directory)
        sync_names();
    handle->sync_directory = false;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    *size = ((struct handle *)base)->file->now.size;
    return disk.cut ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *base, int *reserved)
{
    (void)base;
    *reserved = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int what, void *argument)
{
    (void)base, (void)what, (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *base)
{
    (void)base;
    return 4096; /* as the unix VFS says */
}

static int file_device(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- names --- */

static struct file *find(const char *name)
{
    for (int i = 0; i < FILES; i++) {
        if (disk.files[i].name[0] && strcmp(disk.files[i].name, name) == 0)
            return &disk.files[i];
    }
    return NULL;
}

static struct file *make(const char *name)
{
    for (int i = 0; i < FILES; i++) {
        struct file *file = &disk.files[i];
        if (!file->name[0]) {
            snprintf(file->name, NAME, "%s", name);
            return file;
        }
    }
    abort();
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out)
{
    static const sqlite3_io_methods METHODS = {.iVersion = 1,
                                               .xClose = file_close,
                                               .xRead = file_read,
                                               .xWrite = file_write,
                                               .xTruncate = file_truncate,
                                               .xSync = file_sync,
                                               .xFileSize = file_size,
                                               .xLock = file_lock,
                                               .xUnlock = file_lock,
                                               .xCheckReservedLock = file_is_reserved,
                                               .xFileControl = file_control,
                                               .xSectorSize = file_sector,
                                               .xDeviceCharacteristics = file_device};
    struct handle *handle = (struct handle *)base;
    (void)vfs;
    memset(handle, 0, sizeof *handle);
    if (disk.cut || !name)
        return SQLITE_CANTOPEN;
    struct file *file = find(name) ? find(name) : make(name);
    if (!file->there && !(flags & SQLITE_OPEN_CREATE))
        return SQLITE_CANTOPEN;
    handle->sync_directory = !file->there && flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
    if (!file->there && file->now.size) { /* made anew, before it is certain that the one before is gone */
        add_edit(file, 0, NULL, 0);
        resize(&file->now, 0);
    }
    file->there = true;
    handle->file = file;
    base->pMethods = &METHODS;
    if (out)
        *out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct file *file = find(name);
    (void)vfs;
    if (is_dark())
        return SQLITE_IOERR_DELETE;
    if (!file || !file->there)
        return SQLITE_IOERR_DELETE_NOENT;
    file->there = false;
    if (sync && !disk.lies)
        sync_names();
    if (file->safely_there) /* its content comes back with its name */
        return SQLITE_OK;
    forget_edits(file);
    resize(&file->now, 0);
    resize(&file->safe, 0);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    struct file *file = find(name);
    (void)vfs, (void)flags;
    *result = file && file->there && (flags != SQLITE_ACCESS_EXISTS || file->now.size > 0);
    return disk.cut ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *full)
{
    (void)vfs;
    snprintf(full, (size_t)size, "%s", name);
    return SQLITE_OK;
}

void disk_register(void)
{
    disk.host = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.host; /* randomness, sleep and time are the host's */
    disk.vfs.iVersion = 1;
    disk.vfs.szOsFile = sizeof(struct handle);
    disk.vfs.zName = "disk";
    disk.vfs.xOpen = vfs_open;
    disk.vfs.xDelete = vfs_delete;
    disk.vfs.xAccess = vfs_access;
    disk.vfs.xFullPathname = vfs_full_name;
    sqlite3_vfs_register(&disk.vfs, 1);
}
