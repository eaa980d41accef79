"""A rank that dies costs the bricks in hand: the next attempt makes the others' no second time, and the job ends well (promise T7)."""
import os
import pathlib
import signal
import time

from trial import say

from running import Running

BRICKS = 24


def ranks(state):
    """Pids of the daemon's worker ranks, without their readers."""
    found = {}
    for folder in pathlib.Path('/proc').iterdir():
        try:
            if folder.name.isdigit() and (folder / 'comm').read_text().strip() == 'decoy-worker' and str(state) in (folder / 'cmdline').read_text():
                found[int(folder.name)] = int((folder / 'stat').read_text().rsplit(')', 1)[1].split()[1])
        except OSError:
            continue
    return sorted(pid for pid, parent in found.items() if parent not in found)


def outputs(out):
    return {path: path.stat().st_ino for path in out.glob('real/*/[!.]*.h5')}


def test_dead_rank_costs_the_bricks_in_hand():
    decoy = Running(slots=3, ASAN_OPTIONS='detect_leaks=0')
    try:
        survey, out = decoy.directory / 'survey', decoy.directory / 'out'
        decoy.finish('mock', '--out', survey, '--bricks', BRICKS, '--size', 400, '--ranks', 2)
        job = decoy.submit('cutouts', '--class', 'real', '--cuts', 'none', '--survey', survey, '--out', out, '--ranks', 3, '--retries', 1)
        decoy.until(lambda: len(outputs(out)) >= 4, what='the fourth brick')
        team = ranks(decoy.state)
        assert len(team) == 3, team
        os.kill(team[-1], signal.SIGKILL)
        decoy.until(lambda: not set(team) & set(ranks(decoy.state)), 20, 'the end of the other ranks')
        time.sleep(0.1)
        kept = {path: inode for path, inode in outputs(out).items() if inode}
        decoy('wait', job, timeout=120)
        row, made = decoy.row(job), outputs(out)
        assert row['state'] == 'succeeded' and row['attempt'] == 2
        assert len(made) == BRICKS and row['result']['real']['bricks'] == BRICKS
        assert not list(out.rglob('.*.part'))
        again = [path for path, inode in kept.items() if made[path] != inode]
        assert not again, 'finished bricks were made a second time'
        assert 4 <= BRICKS - row['result']['real']['fresh'] <= BRICKS - 1, row['result']
        say('T7 cutouts, ranks killed', 1, 0, f'one of 3 ranks after {BRICKS - row["result"]["real"]["fresh"]} of {BRICKS} bricks, the others made '
            'in attempt 2; finished bricks made twice: 0')
    finally:
        decoy.close()
