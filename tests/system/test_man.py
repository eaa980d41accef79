"""Man pages say all that --help says, and are well formed."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from client import BUILD, decoy

PAGES = ['decoy.1', 'decoyd.8', 'decoy-worker.8', 'decoy-spec.5']
FOLDER = pathlib.Path(BUILD).resolve() / 'client'
KINDS = ['mock', 'inject', 'cutouts', 'split', 'export', 'gallery', 'audit', 'train', 'evaluate']


def complaints(path):
    """Of mandoc and, where there is a man, of groff."""
    done = subprocess.run(['mandoc', '-Tlint', '-Wwarning', path], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if shutil.which('man') and shutil.which('troff'):
        done = subprocess.run(['man', '--warnings', '-l', path], capture_output=True, text=True, check=False, env=dict(os.environ, LC_ALL='C.UTF-8', MANWIDTH='80'))
        said += done.stderr
    return said


def read(page):
    """The page as it is read, on lines as long as they like."""
    done = subprocess.run(['mandoc', '-Tutf8', '-Owidth=900', FOLDER / page], capture_output=True, text=True, check=True)
    return re.sub('.\b', '', done.stdout)


def flags_of(text):
    return set(re.findall(r'^  (--[a-z-]+)', text, re.MULTILINE))


@pytest.mark.parametrize('page', PAGES)
def test_a_page_is_well_formed(page, tmp_path):
    assert complaints(FOLDER / page) == ''
    broken = tmp_path / page
    broken.write_text((FOLDER / page).read_text() + '.NOSUCH\n.TP\n')
    assert complaints(broken)


def test_every_verb_and_flag_is_in_decoy_1(tmp_path):
    page = read('decoy.1')
    verbs = re.findall(r'^  ([a-z]+) ', decoy(tmp_path, '--help').stdout, re.MULTILINE)
    assert len(verbs) > 25 and {'submit', 'top', 'export', 'model'} <= set(verbs)
    sections = dict(re.findall(r'^   decoy ([a-z]+)([^\n]*\n.*?)(?=^   decoy |^[A-Z])', page, re.MULTILINE | re.DOTALL))
    common = flags_of(decoy(tmp_path, 'version', '--help').stdout)
    assert common == {'--state', '--endpoint', '--json', '--help'}
    options = flags_of(decoy(tmp_path, 'submit', '--help').stdout.split('options of every job')[1].split('\n\n')[0])
    for verb in verbs:
        help_text = decoy(tmp_path, verb, '--help').stdout
        flags = flags_of(help_text) - common - (options if verb == 'submit' else set())
        assert flags <= set(re.findall(r'--[a-z-]+', sections[verb])), verb
        assert help_text.split('\n')[1].replace('`', '').lower() in sections[verb].lower(), verb
    assert common <= set(re.findall(r'--[a-z-]+', page.split('FLAGS OF EVERY VERB')[1]))


def test_every_kind_field_and_option_is_in_decoy_spec_5(tmp_path):
    page = read('decoy-spec.5')
    for kind in KINDS:
        section = re.search(rf'(?ms)^   {kind}$(.*?)(?=^   [a-z]+$|^[A-Z])', page)[1]
        own = decoy(tmp_path, 'submit', kind, '--help').stdout.split(f'flags of {kind}')[1].split('\n\n')[0]
        fields = flags_of(own)
        assert '--out' in fields
        for flag in fields:
            assert f'{flag[2:].replace("-", "_")}, {flag} ' in section + ' ' or f'{flag[2:].replace("-", "_")}, {flag}\n' in section, flag
    options = decoy(tmp_path, 'submit', '--help').stdout.split('options of every job')[1].split('\n\n')[0]
    assert '--time-limit' in flags_of(options) <= set(re.findall(r'--[a-z-]+', page.split('OPTIONS OF EVERY JOB')[1].split('KINDS')[0]))


def test_every_option_of_decoyd_is_in_decoyd_8():
    help_text = subprocess.run([pathlib.Path(BUILD) / 'daemon' / 'decoyd', '--help'], capture_output=True, text=True, check=True).stdout
    flags = flags_of(help_text)
    assert {'--state', '--slots', '--keep-days'} <= flags <= set(re.findall(r'--[a-z-]+', read('decoyd.8')))
