"""Bad input gets one sentence that names it, costs no more than its brick, and loses nothing finished."""
import os
import shutil
import subprocess

import pytest
from running import SHARED


@pytest.fixture(scope='module')
def survey(decoy):
    """Three small bricks, with a simulation of them."""
    directory = decoy.directory / 'survey'
    assert decoy.finish('mock', '--out', directory, '--bricks', 3, '--size', 400)['state'] == 'succeeded'
    return directory


@pytest.fixture
def copy(survey, tmp_path):
    return shutil.copytree(survey, tmp_path / 'survey')


def planes(survey):
    return sorted(survey.glob('coadd/*/*/legacysurvey-*-image-r.fits.fz'))


def cut(decoy, survey, out, *flags, status=0):
    return decoy.finish('cutouts', '--class', 'real', '--survey', survey, '--out', out, '--retries', 0, *flags, status=status)


def quarantined(decoy, survey, out, word):
    """Cuts a survey with one bad brick: the other two are there, and the sentence names the bad one's file."""
    row = cut(decoy, survey, out)
    assert row['state'] == 'succeeded'
    assert len(list(out.rglob('*.h5'))) == 2
    text = (out / 'quarantine.json').read_text()
    assert word in text
    assert word in decoy('events', row['id'])


def test_missing_brick_is_named(decoy, survey, tmp_path):
    names = tmp_path / 'bricks.txt'
    names.write_text('9999p999\n')
    row = cut(decoy, survey, tmp_path / 'out', '--bricks', names, status=1)
    assert '9999p999' in row['reason']


def test_truncated_image_costs_its_brick_only(decoy, copy, tmp_path):
    path = planes(copy)[0]
    os.truncate(path, path.stat().st_size // 2)
    quarantined(decoy, copy, tmp_path / 'out', path.name)


def test_missing_band_costs_its_brick_only(decoy, copy, tmp_path):
    path = planes(copy)[1]
    path.unlink()
    quarantined(decoy, copy, tmp_path / 'out', path.name.split('.')[0])


def test_survey_without_a_band_fails_with_its_name(decoy, copy, tmp_path):
    for path in planes(copy):
        path.unlink()
    row = cut(decoy, copy, tmp_path / 'out', status=1)
    assert row['state'] == 'failed'
    assert 'image-r' in row['reason']


def test_catalogue_without_a_column_is_named(decoy, copy, tmp_path):
    fits = pytest.importorskip('astropy.io.fits')
    path = sorted(copy.glob('tractor/*/tractor-*.fits'))[0]
    with fits.open(path) as hdus:
        table = fits.BinTableHDU.from_columns([column for column in hdus[1].columns if column.name.lower() != 'flux_z'])
    table.writeto(path, overwrite=True)
    quarantined(decoy, copy, tmp_path / 'out', 'flux_z')


def test_output_of_another_kind_of_job_is_left_alone(decoy, copy):
    before = sorted(copy.rglob('*'))
    row = cut(decoy, copy, copy, status=1)
    assert f'{copy} is a survey' in row['reason'] and 'another directory' in row['reason']
    assert sorted(copy.rglob('*')) == before


def test_same_directory_with_other_parameters_is_refused(decoy, copy):
    row = decoy.finish('mock', '--out', copy, '--bricks', 3, '--size', 400, '--seed', 2, '--retries', 0, status=1)
    assert f'{copy} was made with another seed: 1, not 2' in row['reason']


def test_input_directory_that_is_not_there_is_named(decoy, tmp_path):
    for kind, flag in ('inject', '--survey'), ('split', '--cutouts'), ('audit', '--dataset'), ('train', '--dataset'):
        row = decoy.finish(kind, flag, tmp_path / 'nothing', '--out', tmp_path / 'out', '--retries', 0, status=1)
        assert row['reason'] == f'there is no directory {tmp_path}/nothing'


def test_success_tells_of_a_brick_left_out(decoy, copy, tmp_path):
    planes(copy)[0].write_bytes(b'')
    job = decoy.submit('cutouts', '--class', 'real', '--survey', copy, '--out', tmp_path / 'out')
    assert f'1 brick left out, `decoy events {job}` says why' in decoy('wait', job)
    assert 'is empty' in decoy('events', job)


def test_prior_with_a_nan_is_named(decoy, survey, tmp_path):
    prior = tmp_path / 'prior.csv'
    prior.write_text('g,r,z,rhalf\n23.0,22.5,22.0,0.5\n23.1,nan,22.0,0.4\n')
    row = decoy.finish('inject', '--survey', survey, '--prior', prior, '--out', tmp_path / 'fakes', '--retries', 0, status=1)
    assert 'prior.csv' in row['reason'] and ':3' in row['reason'] or 'line 3' in row['reason']


def test_unknown_flag_gets_a_suggestion(decoy):
    decoy('submit', 'mock', '--out', 'x', '--brciks', 3, status=2)
    assert '--bricks' in decoy.stderr
    assert len(decoy.stderr.strip().splitlines()) <= 2


@pytest.mark.skipif(os.geteuid() != 0, reason='mounting a small disk needs root')
def test_full_disk_is_named_and_survived(decoy, survey, tmp_path):
    disk = tmp_path / 'disk'
    disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], check=False).returncode:
        pytest.skip('mounting is not allowed here')
    try:
        row = cut(decoy, survey, disk / 'out', status=1)
        assert 'No space left' in row['reason']
        assert not list((disk / 'out').rglob('.*.part'))
        subprocess.run(['mount', '-o', 'remount,size=500m', disk], check=True)
        assert cut(decoy, survey, disk / 'out')['state'] == 'succeeded'
    finally:
        subprocess.run(['umount', disk], check=True)


@pytest.mark.skipif(not SHARED.is_dir(), reason='the real images are not here')
def test_survey_with_one_band_fails_with_its_name(decoy, tmp_path):
    row = cut(decoy, SHARED / 'dr6-g', tmp_path / 'out', status=1)
    assert '0959p805' in row['reason']
