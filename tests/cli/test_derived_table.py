"""The arithmetic of bench/derived and of the attackers in tools/: intervals, mutual information with chance taken off, blinks, who is found. Nothing is run but Python."""
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ('bench', 'tools')]
import attack_figures as attack
import derived_table as table


def persons(leak, seed):
    """3,000 readings of 105 persons in seven classes; a share `leak` of them tells the person's class -> labels, owners, readings"""
    random = np.random.default_rng(seed)
    label, who = random.integers(0, 7, 105), random.integers(0, 105, 3000)
    return label[who].tolist(), who.tolist(), np.where(random.random(3000) < leak, label[who], random.integers(0, 7, 3000)).tolist()


def test_wilson():
    low, high = table.wilson(0, 206)
    assert low == 0 and abs(high - .0183) < 1e-4
    low, high = table.wilson(3, 10)
    assert abs(low - .1078) < 1e-3 and abs(high - .6032) < 1e-3


def test_independence():
    none = table.independence(*persons(0, 1), rounds=60)
    assert none['low'] <= 0 <= none['high'] and abs(none['bits']) < .005 and none['p'] > .01
    some = table.independence(*persons(.2, 1), rounds=60)
    p = np.full((7, 7), .8 / 49) + np.eye(7) * .2 / 7
    true = (p * np.log2(p * 49)).sum()
    assert some['low'] < true < some['high'] and abs(some['bits'] - true) < .03 and some['p'] == 0


def test_blinks():
    opening = np.ones(40)
    opening[10:14] = .2   # one
    opening[20] = .2      # a single frame is none
    opening[30:33], opening[33], opening[34:36] = .3, .55, .3  # half way up again: still the same one
    assert table.blinks(opening) == [11.5, 32.5]


def test_everybody_is_tested_once():
    person = np.repeat(np.arange(20, 31), 3)
    tested = []
    for part in range(3):
        some, others = attack.split(person, part, 3, np.random.default_rng(5))
        assert not set(some) & set(others) and len(some) + len(others) == 11
        tested += list(some)
    assert sorted(tested) == list(range(20, 31))


def test_who_is_found():
    random, person = np.random.default_rng(3), np.repeat(np.arange(100), 4)
    recorded = random.normal(size=(100, 32))[person]
    row = attack.figures(recorded + .01 * random.normal(size=recorded.shape), recorded, person)
    assert row['persons'] == row['rank_1']['found'] == row['found_at_0.001']['found'] == 100 and row['auc'] == 1
    row = attack.figures(random.normal(size=(100, 32))[person], recorded, person)
    assert row['rank_1']['found'] <= 5 and row['found_at_0.01']['found'] <= 5 and abs(row['auc'] - .5) < .1 and row['rank_1']['interval'][1] < .12


if __name__ == '__main__':
    for name, test in list(globals().items()):
        if name.startswith('test_'):
            test()
            print(name, 'passes')
