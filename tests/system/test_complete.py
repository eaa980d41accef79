"""Completion: what decoy offers for a word, and that bash and zsh put it there."""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest
from client import DECOY, ETC, decoy, environment
from protocol import Daemon

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = SOURCE / 'client' / 'completion'
BASH_COMPLETION = '/usr/share/bash-completion/bash_completion'
PRESETS = {folder: sorted(path.stem for path in pathlib.Path(ETC, folder).glob('*.yaml')) for folder in ['models', 'cuts', 'pipelines']}


@pytest.fixture(scope='module')
def held():
    """A daemon with a held job, 1, and an ended one, 2."""
    daemon = Daemon()
    daemon.submit(hold=True, name='elg one')
    daemon.finish(daemon.submit())
    yield daemon
    daemon.close()


def offered(state, *words):
    done = decoy(state, 'complete', *words)
    assert done.returncode == 0 and not done.stderr
    return [line.split('\t')[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize('words, expected', [
    ('su', ['submit']),
    ('mod', ['model']),
    ('help mo', ['model', 'mock']),
    ('submit au', ['audit']),
    ('submit ckp', []),
    ('submit train --micro', ['--micro-batch']),
    ('submit train --time', ['--time-limit']),
    ('submit train --afte', ['--after', '--after-any']),
    ('submit --model', []),
    ('submit train --optimiser ', ['sgd', 'adam', 'adamw', 'lamb']),
    ('submit train --optimiser=l', ['lamb']),
    ('submit train --out ', [':files']),
    ('submit train --augment-symmetries --dataset=x', [':files']),
    ('submit train --epochs ', []),
    ('--state /x ls --onl', ['--only']),
    ('--json ls --only s', ['succeeded', 'skipped']),
    ('up --laun', ['--launcher']),
    ('ckpt v', ['verify']),
    ('ckpt verify ', [':files']),
    ('ckpt verify x ', []),
    ('show ', [':files']),
    ('cancel -- --', []),
    ('frobnicate ', []),
])
def test_what_may_stand_there(tmp_path, words, expected):
    assert offered(tmp_path, *words.split(' ')) == expected


def test_all_verbs_and_presets_are_offered(tmp_path):
    assert set(offered(tmp_path, '')) == set(re.findall(r'^  ([a-z]+) ', decoy(tmp_path, '--help').stdout, re.MULTILINE))
    for words, folder in {'submit train --model ': 'models', 'submit cutouts --cuts ': 'cuts', 'run ': 'pipelines', 'model show ': 'models'}.items():
        assert sorted(offered(tmp_path, *words.split(' '))) == sorted([*PRESETS[folder], ':files'])


def test_jobs_of_the_daemon_are_offered_where_the_verb_takes_them(held):
    assert offered(held.state, 'cancel', '') == ['1']
    assert offered(held.state, 'show', '') == ['1', '2', ':files']
    assert offered('/nonexistent', '--state', held.state, 'logs', '') == ['1', '2']
    assert offered(held.state, 'submit', 'mock', '--after', '2') == ['2']
    assert '1\tmock elg one held\n' == decoy(held.state, 'complete', 'cancel', '').stdout


def test_a_daemon_that_hangs_holds_nobody_up(held):
    os.kill(held.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert offered(held.state, 'show', '') == [] and time.monotonic() - began < 10
    finally:
        os.kill(held.process.pid, signal.SIGCONT)


def in_bash(state, cwd, line, words):
    """What bash makes of the line when TAB is pressed at its end."""
    script = f'source {BASH_COMPLETION}; source {SCRIPTS}/decoy.bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE="$1"; COMP_POINT=${{#1}}; ' \
             'COMP_TYPE=9; COMP_KEY=9; compopt() { :; }; _decoy; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(['bash', '--norc', '-c', script, 'bash', line], capture_output=True, text=True, check=False, cwd=cwd,
                          env=environment(state, PATH=f'{pathlib.Path(DECOY).resolve().parent}:{os.environ["PATH"]}'))
    assert not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not os.path.exists(BASH_COMPLETION), reason='there is no bash-completion here')
def test_bash_completes(held, tmp_path):
    (tmp_path / 'lenet-mine.yaml').touch()
    assert in_bash(held.state, tmp_path, 'decoy sub', 'decoy sub') == ['submit']
    assert in_bash(held.state, tmp_path, 'decoy show ', 'decoy show ""') == ['1', '2', 'lenet-mine.yaml']
    assert in_bash(held.state, tmp_path, 'decoy submit train --model lenet', 'decoy submit train --model lenet') == ['lenet-2x2', 'lenet', 'lenet-mine.yaml']
    assert in_bash(held.state, tmp_path, 'decoy submit train --optimiser=adam', "decoy submit train --optimiser '=' adam") == ['adam', 'adamw']
    assert in_bash(held.state, tmp_path, 'decoy ckpt ls lenet', 'decoy ckpt ls lenet') == ['lenet-mine.yaml']


def typed(state, cwd, line):
    """What zsh has at its prompt after the line and TAB."""
    ours, theirs = pty.openpty()
    settings = environment(state, PATH=f'{pathlib.Path(DECOY).resolve().parent}:{os.environ["PATH"]}', PS1='> ', TERM='dumb')
    process = subprocess.Popen(['zsh', '-f', '-i'], stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=settings, start_new_session=True)
    os.close(theirs)

    def until(pattern, seconds=20):
        text, end = '', time.monotonic() + seconds
        while not re.search(pattern, text) and time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                text += os.read(ours, 65536).decode(errors='replace')
        assert re.search(pattern, text), text
        return text
    try:
        until('> ')
        os.write(ours, f'fpath=({SCRIPTS} $fpath); autoload -Uz compinit; compinit -u -D; echo re""ady\n'.encode())
        until('ready\r?\n.*> ')
        os.write(ours, line.encode() + b'\t')
        time.sleep(1)
        os.write(ours, b' end"of"it\n')  # not a command of decoy's
        return re.sub('[\r\a\b]', '', until('end"of"it'))
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.skipif(not shutil.which('zsh'), reason='there is no zsh here')
def test_zsh_completes(held, tmp_path):
    (tmp_path / 'only-file').touch()
    assert subprocess.run(['zsh', '-n', SCRIPTS / '_decoy'], check=False).returncode == 0
    for line, whole in {'true; decoy chec': 'decoy checkpoint ', 'decoy submit train --optimiser=sg': '--optimiser=sgd', 'decoy ckpt ls on': 'ls only-file', 'decoy cancel ': 'cancel 1'}.items():
        assert whole in typed(held.state, tmp_path, line)
