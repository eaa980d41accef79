"""Spoils FITS files: what a disk, a download, or someone who means it might do to one. A function of a random.Random alone."""
BLOCK, CARD = 2880, 80
NUMBERS = [0, 1, -1, 2, 3, 7, 255, 65535, 2**31 - 1, 2**31, -2**31, 2**32, 2**63 - 1, -2**63, 2**64, 10**19, 1e308, 'T', 'F', "'x'", '', "'unclosed"]
KEYS = ['BITPIX', 'NAXIS', 'NAXIS1', 'NAXIS2', 'PCOUNT', 'GCOUNT', 'TFIELDS', 'THEAP', 'ZBITPIX', 'ZNAXIS', 'ZNAXIS1', 'ZNAXIS2', 'ZTILE1', 'ZTILE2',
        'ZDITHER0', 'ZVAL1', 'ZVAL2', 'ZCMPTYPE', 'ZQUANTIZ', 'TFORM1', 'TFORM2', 'TFORM3', 'TTYPE1', 'TTYPE2', 'TDIM1', 'TSCAL1', 'TZERO1', 'TNULL1',
        'ZIMAGE', 'EXTEND', 'SIMPLE', 'XTENSION', 'CRPIX1', 'CD1_1', 'CTYPE1', 'BSCALE', 'BZERO', 'BLANK', 'ZBLANK', 'END']
SUMS = (b'DATASUM ', b'CHECKSUM', b'ZDATASUM', b'ZHECKSUM')
FORMS = ["'1PB(%d)'", "'1QB(%d)'", "'%dD'", "'%dA'", "'1PE(%d)'", "'%dJ'", "'%dX'", "'%dM'"]


def headers(data):
    """Where each header lies: (first byte, byte after its last block)."""
    found, at = [], 0
    while at + BLOCK <= len(data):
        if data[at:at + 6] == b'SIMPLE' or data[at:at + 8] == b'XTENSION':
            end = at
            while end + BLOCK <= len(data) and not any(data[c:c + 8] == b'END     ' for c in range(end, end + BLOCK, CARD)):
                end += BLOCK
            found.append((at, min(end + BLOCK, len(data))))
            at = end
        at += BLOCK
    return found


def cards(data, header):
    return range(header[0], header[1], CARD)


def set_card(data, at, key, value):
    data[at:at + CARD] = f'{key:<8}= {value!s:>20}'.encode()[:CARD].ljust(CARD)


def drop_sums(data):
    """Without its sums a file's damage shows only in what it does."""
    for header in headers(data):
        for at in cards(data, header):
            if bytes(data[at:at + 8]) in SUMS:
                data[at:at + CARD] = b'COMMENT'.ljust(CARD)


def change_value(data, random):
    header = random.choice(headers(data))
    wanted = random.choice(KEYS)
    known = [at for at in cards(data, header) if data[at:at + 8].rstrip() == wanted.encode()]
    at = known[0] if known else random.choice(cards(data, header))
    value = random.choice(FORMS) % random.choice([0, 1, 8, 9999, 2**31 - 1, 2**40]) if wanted.startswith('TFORM') else random.choice(NUMBERS)
    set_card(data, at, wanted, value)


def flip_in_header(data, random):
    for _ in range(random.choice([1, 1, 1, 4, 16])):
        data[random.randrange(*random.choice(headers(data)))] ^= 1 << random.randrange(8)


def swap_cards(data, random):
    header = random.choice(headers(data))
    a, b = random.choice(cards(data, header)), random.choice(cards(data, header))
    data[a:a + CARD], data[b:b + CARD] = data[b:b + CARD], data[a:a + CARD]


def double_card(data, random):
    header = random.choice(headers(data))
    a, b = random.choice(cards(data, header)), random.choice(cards(data, header))
    data[a:a + CARD] = data[b:b + CARD]


def data_range(data):
    return headers(data)[-1][1], len(data)


def flip_in_data(data, random):
    first, last = data_range(data)
    for _ in range(random.choice([1, 1, 8, 64, 512])):
        if first < last:
            data[random.randrange(first, last)] ^= 1 << random.randrange(8)


def write_in_data(data, random):
    """Among them the descriptors of tiles, which stand first."""
    first, last = data_range(data)
    if first < last:
        at = min(first + int(random.expovariate(1 / 64)), last - 1)
        piece = random.choice([b'\0', b'\xff', b'\x7f\xff\xff\xff', b'\x80\0\0\0', random.randbytes(8)]) * random.choice([1, 2, 16])
        data[at:at + len(piece)] = piece[:last - at]


def cut_off(data, random):
    del data[random.randrange(len(data)):]


def cut_block(data, random):
    at = random.randrange(len(data) // BLOCK) * BLOCK
    del data[at:at + BLOCK]


def append(data, random):
    data.extend(random.randbytes(random.choice([1, BLOCK, 3 * BLOCK])))


def fill_with_noise(data, random):
    at = random.randrange(len(data))
    data[at:at + 4096] = random.randbytes(len(data[at:at + 4096]))


CHANGES = [change_value] * 8 + [flip_in_header] * 4 + [swap_cards, double_card] + [flip_in_data] * 3 + [write_in_data] * 3 + \
    [cut_off, cut_block, append, fill_with_noise]


def mutate(original, random):
    """One spoilt file and the name of what was done to it."""
    data = bytearray(original)
    if random.random() < 0.6:
        drop_sums(data)
    names = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        change = random.choice(CHANGES)
        if headers(data):
            change(data, random)
            names.append(change.__name__)
    return bytes(data), '+'.join(names)
