"""./run mutants [FILE]: breaks durability and fencing in a copy of the source, one way at a time, and sees that the named test notices each
(promise E2); with FILE only what is in it. A mutant that no longer fits the source is an error, and so is a test that fails without one."""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
POWER, ORDERS, STORE = 'tests/crash/power_cut', 'tests/crash/interleave', 'tests/unit/daemon/test_daemon_store'
OWNER, FILES = 'tests/crash/test_daemon_owner.py', 'tests/unit/common/test_common_file_sync'
# What is broken, where, from, to, and what notices.
MUTANTS = [
    ('commits are not synced', 'daemon/store.c', '"PRAGMA synchronous = FULL"', '"PRAGMA synchronous = OFF"', POWER),
    ('commits are synced at write-back only', 'daemon/store.c', 'if (!code && strcmp(answer, "2") != 0)',
     'if (!code)\n        code = store_execute(store, "PRAGMA synchronous = NORMAL", err);\n    if (false)', POWER),
    ('a transaction is many', 'daemon/store_sql.h', '[BEGIN] = "BEGIN IMMEDIATE"', '[BEGIN] = "SELECT 1"', POWER),
    ('acknowledged before the commit', 'daemon/store.c', 'int code = run(store, store_bind(store, COMMIT, ""), err);', 'int code = 0;', STORE),
    ('the directory is not synced', 'daemon/store.c', 'code = file_sync_directory(directory, err);', 'code = 0;', POWER),
    ('ids come back', 'daemon/store_schema.c', 'id INTEGER PRIMARY KEY AUTOINCREMENT, kind', 'id INTEGER PRIMARY KEY, kind', POWER),
    ('an attempt ends twice', 'daemon/store_sql.h', 'attempt = ? AND ended_us = 0"', 'attempt = ?"', ORDERS),
    ('the attempt of a message is not looked at', 'daemon/report.c', 'present && strcmp(run->attempt.token, token) == 0', 'present', ORDERS),
    ('an update does not look at the attempt', 'daemon/store_sql.h', '"AND attempt = ?"', '"AND ? >= 0"', STORE),
    ('a key is not unique', 'daemon/store_schema.c', '"UNIQUE,"', '","', STORE),
    ('a file is not synced by who wrote it', 'common/file.c', 'int code = fsync(file->fd) != 0 ? -errno : 0;', 'int code = 0;', FILES),
    ('a file is not synced by name', 'common/file.c', 'code = sync_path(file->temporary, O_RDONLY);', 'code = 0;', FILES),
    ('a close is not checked', 'common/file.c', 'if (close(file->fd) != 0 && !code)', 'if (close(file->fd) != 0 && false)', FILES),
    ('a rename is not synced', 'common/file.c', '        code = sync_path(directory, O_RDONLY | O_DIRECTORY);\n    if', '        code = 0;\n    if', FILES),
    ('a short write is taken for a whole one', 'common/file.c', 'size -= (size_t)written;', 'size = 0;', FILES),
    ('a file is written in its place', 'common/file.c', 'rename(file->temporary, file->path) != 0', 'unlink(file->path) + rename(file->temporary, file->path) != 0', FILES),
    ('no lock', 'daemon/place.c', 'if (fcntl(fd, F_SETLK, &lock) != 0)', 'if (lock.l_type == F_UNLCK)', OWNER),
]


def notices(copy, test):
    """True when the test fails on what the copy holds."""
    target = ['daemon/decoyd'] if test.endswith('.py') else [test]
    subprocess.run(['ninja', '-C', copy / 'build', '--quiet', *target], check=True, stdout=subprocess.DEVNULL)
    build = copy / 'build'
    environment = dict(os.environ, CRASH_N='20' if test == OWNER else '5000' if test == POWER else '600',
                       CRASH_SEED='1000' if test == POWER else '1', DECOY_BUILD=str(build), DECOY_WORKER=str(build / 'x'))
    words = ['/usr/bin/python3', '-m', 'pytest', '-q', '-p', 'no:cacheprovider', copy / test, '-k', 'start_at_once'] if test == OWNER else [build / test]
    return subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0


def main():
    mutants, missed = [mutant for mutant in MUTANTS if sys.argv[1:] in ([], [mutant[1]])], 0
    with tempfile.TemporaryDirectory(prefix='decoy-mutants-') as place:
        copy = pathlib.Path(place)
        archive = subprocess.Popen(['git', 'archive', 'HEAD'], cwd=ROOT, stdout=subprocess.PIPE)
        subprocess.run(['tar', '-x', '-C', place], stdin=archive.stdout, check=True)
        archive.wait()
        subprocess.run(['meson', 'setup', copy / 'build', copy], check=True, stdout=subprocess.DEVNULL)
        for test in sorted({mutant[4] for mutant in mutants}):
            if notices(copy, test):
                sys.exit(f'{test} fails on the source as it is')
        for name, path, before, after, test in mutants:
            text = (copy / path).read_text()
            if text.count(before) != 1:
                sys.exit(f'{name}: {path} holds {before!r} {text.count(before)} times')
            (copy / path).write_text(text.replace(before, after))
            caught = notices(copy, test)
            (copy / path).write_text(text)
            missed += not caught
            print(f'{"caught" if caught else "MISSED"}: {name}, by {pathlib.Path(test).name}', flush=True)
    print(f'{len(mutants) - missed} of {len(mutants)} mutants caught')
    return 1 if missed or not mutants else 0


sys.exit(main())
