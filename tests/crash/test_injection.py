"""No path or argument injection (promise S3): through every field of every kind that holds text, what would mean something to
CFITSIO, a shell, a printf or a file system is refused, or is a name like any other; no file appears but below the literal output
directory, no program starts, no connection is made."""
import json
import os
import random
import shutil
import subprocess

import pytest
from trial import SEED, WORKER, run, say, trials

FIELDS = [line.split() for line in subprocess.run([os.environ['PRINT_SPEC']], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()]
KINDS = sorted({field[0] for field in FIELDS})
STRACE = shutil.which('strace')
# CFITSIO's extended file names; a shell's; printf's; a file system's.
PIECES = ['(out)', '(out.fits)', '[1]', '[1][bin]', '[flux_g > 0]', '[pixr X*2]', '[col x=1]', '!', '!out', '-', 'stdin', 'http://localhost:1/x',
          'ftp://localhost/x', 'root://localhost/x', 'gsiftp://x', 'mem://', 'shmem://h1', 'file://', '+1', '#x', ';touch pwned', '$(touch pwned)',
          '`touch pwned`', '|touch pwned', '&', '>pwned', '*', '?', '~', '"', "'", '\\', ' ', '%n%s%n', '%2$n', '${HOME}', '--help', '-x',
          '..', '../..', '/../', './', '//', '.', 'ä', '\u202e', 'x' * 255, 'x' * 300, 'x/' * 600]
NEVER = ['a\nb', 'a\rb', 'a\x1b[31m', 'a\x7fb', '\x01', '\x00', 'a\x00b']


def base_fields(kind, box):
    """Fields that are well, for a job that fails late or not at all."""
    fields = {'out': str(box / 'out')}
    for name, field, of, required in FIELDS:
        if name == kind and of == 'input' and int(required):
            fields[field] = str(box / 'survey')
    if kind == 'mock':
        fields.update(bricks=1, size=128)
    if kind == 'cutouts':
        fields.update({'cuts': 'none', 'class': 'real'})
    return fields


def snapshot(box):
    found = {}
    for folder, folders, names in os.walk(os.fsencode(box)):
        for name in folders + names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            found[path] = (status.st_mode, status.st_size, status.st_mtime_ns if name in names else 0)
    return found


def attempt(box, kind, fields, log):
    """The worker in a cage that tells of programs and connections: its exit status and its words."""
    spec = box / 'job.json'
    spec.write_text(json.dumps({'kind': kind, 'threads': 1, 'fields': fields}))
    watch = [STRACE, '-f', '--seccomp-bpf', '-qq', '-e', 'signal=none', '-e', 'trace=execve,execveat,connect', '-o', str(log)] if STRACE else []
    done = subprocess.run(watch + [WORKER, '--spec', str(spec)], cwd=box / 'work', stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, check=False)
    spec.unlink()
    return done


def calls(log):
    """Programs and connections beyond the worker's own start."""
    return [line for line in log.read_text(errors='replace').splitlines() if 'exec' in line or 'connect' in line][1:] if STRACE else []


@pytest.fixture(scope='module')
def box(tmp_path_factory):
    box = tmp_path_factory.mktemp('box')
    run(box, 'mock', out=box / 'survey', bricks=1, size=128)
    (box / 'mock.job.json').unlink()
    (box / 'work').mkdir()
    return box


def value_of(of, piece, box, dice):
    """The piece where it may do most harm: alone, before, behind, or within a path."""
    if of in ('text', 'choice'):
        return dice.choice([piece, f'grz{piece}', f'{piece}grz'])
    path = str(dice.choice([box / 'survey', box / 'out', box / 'survey/tractor']))
    return dice.choice([piece, path + piece, f'{path}/{piece}', f'{piece}{path}', f'{box}/{piece}/{dice.choice(["survey", "out"])}'])


def real_output(value):
    return os.path.realpath(value) if os.path.isabs(value) and '\0' not in value else None


def check_one(box, kind, field, of, value, log):
    before = snapshot(box)
    fields = {**base_fields(kind, box), field: value}
    done = attempt(box, kind, fields, log)
    words = done.stderr.decode(errors='replace')
    literal = real_output(fields['out'])
    named = [literal] if of != 'output' or field == 'out' else [literal, real_output(value)]  # what it may touch
    where = f'{kind} --{field} {value!r}: exit {done.returncode}: {words}'
    assert done.returncode in (0, 1, 2), where
    assert done.returncode == 0 or words.strip(), where
    assert '\x1b' not in words and not any(ord(c) < 32 and c not in '\n\t' for c in words), where
    assert not calls(log), f'{where}: {calls(log)}'
    after = snapshot(box)
    for path in set(before) | set(after):
        if before.get(path) == after.get(path) or os.fsencode(log) == path:
            continue
        real = os.path.realpath(os.fsdecode(path))
        assert any(one and (real == one or real.startswith(one + '/') or one.startswith(real + '/')) for one in named), f'{where}: touched {path!r}'
    if literal and literal != str(box) and literal.startswith(str(box)) and not str(box / 'survey').startswith(literal):
        for path in set(after) - set(before):
            shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) and not os.path.islink(path) else os.path.lexists(path) and os.unlink(path)
    return done.returncode


@pytest.mark.parametrize('kind', KINDS)
def test_text_is_refused_or_literal(box, kind, tmp_path):
    dice, count, taken = random.Random(f'{SEED} {kind}'), 0, 0
    fields = [(field, of) for name, field, of, _ in FIELDS if name == kind]
    for field, of in fields:
        for _ in range(trials(8)):
            value = value_of(of, dice.choice(PIECES), box, dice)
            taken += check_one(box, kind, field, of, value, tmp_path / 'strace') == 0
            count += 1
        for piece in NEVER:
            assert check_one(box, kind, field, of, value_of(of, piece, box, dice), tmp_path / 'strace') != 0, f'{kind} --{field} {piece!r} was taken'
            count += 1
    say(f'S3 {kind}, hostile values', count, SEED, f'in {len(fields)} fields: {taken} taken literally, the others refused; files elsewhere, programs, '
        f'connections: 0{"" if STRACE else " (without strace)"}')


@pytest.mark.parametrize('name', ['survey(out)', 'survey[1]', '!survey', 'survey[flux_g > 0]', 'http:survey', '-', 'a;b', '$(b)', '%n', ' x'])
def test_directory_of_any_name_is_a_directory(box, name, tmp_path):
    shutil.copytree(box / 'survey', tmp_path / name)
    result = run(tmp_path, 'cutouts', out=tmp_path / f'out{name}', survey=tmp_path / name, cuts='none', **{'class': 'real'})['real']
    assert result['bricks'] == 1 and result['stamps'] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(['cutouts.job.json', name, f'out{name}'])


def test_link_in_the_output_leads_nowhere(box, tmp_path):
    """Someone who may write there puts a link in the place of a folder to be: the reader may write below out alone."""
    if 'Landlock' not in subprocess.run([WORKER, '--version'], stdout=subprocess.PIPE, text=True, check=True).stdout:
        pytest.skip('this kernel has no Landlock')
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/real').symlink_to(tmp_path / 'elsewhere')
    assert 'Permission denied' in run(tmp_path, 'cutouts', status=1, out=tmp_path / 'out', survey=box / 'survey', cuts='none', **{'class': 'real'})
    assert not list((tmp_path / 'elsewhere').iterdir())


def test_input_behind_links_is_read(box, tmp_path):
    """Links in a survey are the user's own: many surveys are put together of them."""
    for path in (box / 'survey').rglob('*'):
        if path.is_file():
            link = tmp_path / 'survey' / path.relative_to(box / 'survey')
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    assert run(tmp_path, 'cutouts', out=tmp_path / 'out', survey=tmp_path / 'survey', cuts='none', **{'class': 'real'})['real']['bricks'] == 1


@pytest.mark.skipif(not STRACE, reason='strace is not here')
def test_watch_notices_a_program(tmp_path):
    """The control: what the tests above look for is seen when it happens."""
    log = tmp_path / 'strace'
    subprocess.run([STRACE, '-f', '--seccomp-bpf', '-qq', '-e', 'signal=none', '-e', 'trace=execve,execveat,connect', '-o', str(log), '/bin/sh', '-c', '/bin/true; true'], check=True)
    assert calls(log)
