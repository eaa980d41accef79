"""Runs the client: what a test asks of it in one place."""
import json
import os
import subprocess

BUILD = os.environ.get('DECOY_BUILD', os.path.join(os.path.dirname(__file__), '..', '..', 'build'))
DECOY = os.path.join(BUILD, 'client', 'decoy')
ETC = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'etc')


def environment(state, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(('DECOY', 'NO_COLOR'))}
    return dict(kept, DECOY_STATE=str(state), DECOY_ETC=ETC, **more)


def decoy(state, *words, cwd=None, timeout=20, **more):
    """The finished process; its text is in .stdout and .stderr."""
    return subprocess.run([DECOY, *map(str, words)], env=environment(state, **more), cwd=cwd, timeout=timeout,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)


def ask(state, *words, code=0, **more):
    """The JSON that a verb gives with --json."""
    done = decoy(state, *words, '--json', **more)
    assert done.returncode == code, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines and all(line['v'] == 1 for line in lines)
    return lines[0] if len(lines) == 1 else lines


def refused(done, code, *parts):
    """It ended so, with one sentence on standard error that holds the parts."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.startswith('decoy: ') and done.stderr.count('\n') == 1, done.stderr
    for part in parts:
        assert part in done.stderr, done.stderr
