"""Spoilt FITS files among good bricks (promise T6): each is put aside with a reason, or read for what it now says; no good brick is
lost, and the job goes on to its end."""
import collections
import json
import os
import random
import shutil
import warnings

import fitsio
import h5py
import numpy as np
import pytest
from astropy.io import fits
from mutate import mutate
from trial import SEED, run, say, trials, words_of

warnings.filterwarnings('ignore')
CHANNELS = [(kind, band) for band in 'grz' for kind in ('image', 'invvar')]
GOOD_EVERY = 10


def plane(survey, brick, kind, band):
    return survey / f'coadd/{brick[:3]}/{brick}/legacysurvey-{brick}-{kind}-{band}.fits.fz'


def catalogue(survey, brick):
    return survey / f'tractor/{brick[:3]}/tractor-{brick}.fits'


def files(survey, brick):
    return [plane(survey, brick, *channel) for channel in CHANNELS] + [catalogue(survey, brick)]


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """One small brick, and its stamps."""
    directory = tmp_path_factory.mktemp('model')
    run(directory, 'mock', out=directory / 'survey', bricks=1, size=200, galaxies=60)
    run(directory, 'cutouts', out=directory / 'cut', survey=directory / 'survey', cuts='none', **{'class': 'real'})
    brick = next((directory / 'survey/coadd').glob('*/*')).name
    with h5py.File(next((directory / 'cut').rglob('*.h5'))) as file:
        stamps = file['image'][:]
    assert len(stamps) > 5
    return directory / 'survey', brick, stamps


def copy_brick(model, survey, name):
    """The model brick under another name."""
    for old, new in zip(files(model[0], model[1]), files(survey, name)):
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(old, new)


def spoil(survey, name, dice):
    path = dice.choice(files(survey, name) + [catalogue(survey, name)] * 2)
    data, what = mutate(path.read_bytes(), dice)
    path.write_bytes(data)
    return path, what


def astropy_plane(path):
    with fits.open(path, checksum=False) as hdus:
        return next(hdu.data for hdu in hdus if hdu.data is not None and getattr(hdu.data, 'ndim', 0) == 2)


def astropy_table(path):
    with fits.open(path) as hdus:
        table = next(hdu.data for hdu in hdus if isinstance(hdu, fits.BinTableHDU))
        return table['bx'], table['by']


def fitsio_plane(path):
    return next(hdu for hdu in fitsio.FITS(path) if hdu.has_data() and hasattr(hdu, 'get_dims')).read()


def fitsio_table(path):
    table = next(hdu for hdu in fitsio.FITS(path) if isinstance(hdu, fitsio.hdu.TableHDU))
    return table['bx'].read(), table['by'].read()


ASTROPY, FITSIO = ('astropy', astropy_plane, astropy_table), ('fitsio', fitsio_plane, fitsio_table)


def check_as(oracle, survey, name, output):
    """What was accepted is what the spoilt file says: every stamp is the slice at its place, every place one of the catalogue's."""
    with h5py.File(output) as file:
        images, x, y = file['image'][:], file['x'][:], file['y'][:]
    places = {(float(a), float(b)) for a, b in zip(*oracle[2](str(catalogue(survey, name))))}
    for channel, of in enumerate(CHANNELS):
        pixels = oracle[1](str(plane(survey, name, *of)))
        pixels = np.where(np.isfinite(pixels), pixels, 0).astype(np.float32)
        for i in range(len(x)):
            assert (float(x[i]), float(y[i])) in places
            row, column = int(y[i]) - 32, int(x[i]) - 32
            assert np.array_equal(images[i, :, :, channel], pixels[row:row + 64, column:column + 64]), of


def agrees(oracle, survey, name, output):
    """In a process of its own: the oracle may refuse the file, or die of it."""
    child = os.fork()
    if child == 0:
        try:
            check_as(oracle, survey, name, output)
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def same_as_model(output, stamps):
    with h5py.File(output) as file:
        return np.array_equal(file['image'][:], stamps)


def test_spoilt_fits_costs_its_brick_only(model, tmp_path):
    count, dice, survey = trials(300), random.Random(SEED), tmp_path / 'survey'
    spoilt, fate = {}, collections.Counter()
    good = [f'g{i:05}' for i in range(1 + count // GOOD_EVERY)]
    for name in good:
        copy_brick(model, survey, name)
    for i in range(count):
        name = f'b{i:05}'
        copy_brick(model, survey, name)
        spoilt[name] = spoil(survey, name, dice)
    run(tmp_path, 'cutouts', out=tmp_path / 'cut', survey=survey, cuts='none', max_bad=1, brick_time='60s', timeout=3000, **{'class': 'real'})
    reasons = {q['brick']: q['reason'] for q in json.loads((tmp_path / 'cut/quarantine.json').read_text())['quarantined']}
    made = {path.stem: path for path in (tmp_path / 'cut/real').rglob('*.h5')}
    for name in good:
        assert name not in reasons and same_as_model(made[name], model[2]), f'good brick {name} was lost'
    for name, (path, what) in spoilt.items():
        assert (name in reasons) != (name in made), f'{name}: {what} in {path}'
        if name in reasons:
            assert reasons[name]
            fate['put aside' if 'died' not in reasons[name] else 'put aside, the reader died'] += 1
        elif same_as_model(made[name], model[2]):
            fate['harmless'] += 1
        else:
            oracle = next((oracle for oracle in (ASTROPY, FITSIO) if agrees(oracle, survey, name, made[name])), None)
            assert oracle, f'{name}: {what} in {path} was read as neither astropy nor fitsio reads it'
            fate[f'read as {oracle[0]} reads it'] += 1
    assert fate['put aside'] > count / 4, fate # the mutations bite
    say('T6 cutouts, spoilt files', count, SEED, f'{words_of(fate)}; of {len(good)} good bricks lost: 0')


def test_injection_outlives_spoilt_fits(model, tmp_path):
    count, dice, survey = trials(300) // 10, random.Random(SEED + 1), tmp_path / 'survey'
    for i in range(count + 2):
        copy_brick(model, survey, f'b{i:05}')
        if i >= 2:
            spoil(survey, f'b{i:05}', dice)
    result = run(tmp_path, 'inject', out=tmp_path / 'fake', survey=survey, max_bad=1, brick_time='60s', timeout=3000)
    reasons = {q['brick']: q['reason'] for q in json.loads((tmp_path / 'fake/quarantine.json').read_text())['quarantined']}
    made = {path.parent.parent.name for path in (tmp_path / 'fake/obiwan').rglob('simcat*.fits')}
    assert {'b00000', 'b00001'} <= made
    assert len(reasons) + result['made'] == count + 2 and len(reasons) == result['quarantined'] > count / 4
    assert not list((tmp_path / 'fake').rglob('.*.part'))
    say('T6 inject, spoilt files', count, SEED + 1, f'{len(reasons)} put aside; of 2 good bricks lost: 0')


def test_reader_that_dies_costs_its_brick_only(model, tmp_path):
    """Files that no check catches are not at hand, so a library dies in the reader's stead: it takes SIGSEGV at one file's name."""
    survey, library = tmp_path / 'survey', os.environ['DYING_READER_MODULE']
    for name in 'b00000', 'b00001', 'b00002':
        copy_brick(model, survey, name)
    os.environ['LD_PRELOAD'] = library
    try:
        result = run(tmp_path, 'cutouts', out=tmp_path / 'cut', survey=survey, cuts='none', **{'class': 'real'})['real']
    finally:
        del os.environ['LD_PRELOAD']
    assert (result['bricks'], result['quarantined']) == (2, 1)
    [bad] = json.loads((tmp_path / 'cut/quarantine.json').read_text())['quarantined']
    assert bad['brick'] == 'b00001' and 'the reader died of signal 11' in bad['reason']
