"""The tables of bench/derived, in Markdown, from its rows. Medians over clips stand with their quartiles; counts of persons with Wilson's 95 % interval."""
import collections, math, os

import numpy as np

from interval import wilson  # tools/

AGES = '0-2', '3-9', '10-19', '20-29', '30-39', '40-49', '50-59', '60-69', '70+'
AXES = 'yaw', 'pitch', 'roll'
BALL = .47  # of an eye's width: what a shift of the iris is turned into degrees on (docs/motion.md)


def share(found, of):
    if not of:
        return '-'
    low, high = wilson(found, of)
    return f'{found}/{of} = {100 * found / of:.1f} % [{100 * low:.1f}, {100 * high:.1f}]'


def within(found, of):
    """Shorter: the interval in whole per cent"""
    low, high = wilson(found, of)
    return f'{found}/{of} [{100 * low:.0f}, {100 * high:.0f}]' if of else '-'


def middle(values, digits=2):
    values = [v for v in values if v is not None and np.isfinite(v)]
    if not values:
        return '-'
    a, b, c = np.percentile(values, (25, 50, 75))
    return f'{b:.{digits}f} ({a:.{digits}f}, {c:.{digits}f}), n {len(values)}'


def table(head, rows):
    return '\n'.join('| ' + ' | '.join(map(str, r)) + ' |' for r in (head, ['---'] * len(head), *rows)) + '\n'


# --- what one clip says ---------------------------------------------------------------------------------------------
def person(row):
    persons = (row['evidence'] or {}).get('persons') or []
    return persons[0] if len(persons) == 1 else None


def context(row, name):
    return ((person(row) or {}).get('contexts') or {}).get(name) or {}


def frames(row):
    """-> (replaced, all) of the frames there are of the clip: the face is 120 px wide and nearly ahead in each, so that none is excused"""
    states = [s for track in row['states'] for s in track]
    return states.count('replaced'), max(len(states), len(row['known']['yaw']))


def numbers(row, side, name):
    values = (row.get(side) or {}).get(name)
    return None if values is None else np.array([np.nan if v is None else v for v in values])


def r_of(a, b):
    if a is None or b is None:
        return None
    ok = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[ok], b[ok])[0, 1]) if ok.sum() > 8 and np.std(a[ok]) > 0 and np.std(b[ok]) > 0 else None


def known(row, name):
    values = np.array(row['known'][name.split('_')[0]])
    return values[:, 'xy'.index(name[-1])] if name.startswith('gaze_') else values


def follow(rows, truth, read):
    """Correlations over each clip's frames: recording with truth, result with truth, result with recording."""
    return [[r_of(known(r, truth), numbers(r, s, read)) for r in rows] for s in ('source', 'result')] + [[r_of(numbers(r, 'source', read), numbers(r, 'result', read)) for r in rows]]


def turn_errors(row, side, axis):
    """Mean absolute degrees from the turn that was put in, a constant offset taken off: another face's shape is read a little turned."""
    a, b = numbers(row, side, axis), np.array(row['known'][axis])
    return None if a is None else float(np.nanmean(np.abs(a - b - np.nanmean(a - b))))


def gaze_errors(row, side):
    if not row.get(side):
        return None
    off = np.stack([numbers(row, side, f'gaze_{k}') for k in 'xy'], 1) - np.array(row['known']['gaze'])
    off = off[np.array(row['known']['lids']) > .9]
    off -= np.nanmean(off, 0)
    return float(np.degrees(np.nanmean(np.arcsin(np.clip(np.linalg.norm(off, axis=1) / BALL, 0, 1)))))


def blinks(opening):
    """Middles of the times in which the opening is under half its median for two frames or more; one ends only over 0.6 of it (docs/evidence-format.md)."""
    usual, out, start, low = np.nanmedian(opening), [], None, 0
    for i, x in enumerate(np.append(opening, np.inf)):
        if start is None and x < .5 * usual:
            start, low = i, 0
        if start is not None:
            low += x < .5 * usual
            if x > .6 * usual:
                if low >= 2:
                    out.append((start + i - 1) / 2)
                start = None
    return out


def blink_counts(rows, truth, found):
    """-> [put in or seen before, seen after, matched within two frames] over all clips"""
    out = [0, 0, 0]
    for r in rows:
        a, b = truth(r), found(r)
        if a is None or b is None:
            continue
        before, left = blinks(a), blinks(b)
        out[0], out[1] = out[0] + len(before), out[1] + len(left)
        for t in before:
            near = min(left, key=lambda f: abs(f - t), default=None)
            if near is not None and abs(near - t) <= 2:
                left.remove(near)
                out[2] += 1
    return out


def f1(counts):
    return f'{2 * counts[2] / (counts[0] + counts[1]):.3f} ({counts[0]} / {counts[1]} / {counts[2]})' if counts[0] + counts[1] else '-'


def tone(row):
    """Individual typology angle of what describe saw: light, tan, dark"""
    skin = ((row.get('context') or [{}])[0] or {}).get('skin')
    if not skin:
        return None
    angle = math.degrees(math.atan2(skin[0] - 50, skin[2]))
    return 'ITA over 41 (light)' if angle > 41 else 'ITA 10 to 41' if angle > 10 else 'ITA under 10 (dark)'


def light(row):
    """Of the still's face, 0 to 255"""
    value = row.get('light')
    return None if value is None else 'face darker than 80' if value < 80 else 'face of 80 to 130' if value < 130 else 'face of 130 and more'


def near(a, b):
    return a in AGES and b in AGES and abs(AGES.index(a) - AGES.index(b)) <= 1


# --- the parts ------------------------------------------------------------------------------------------------------
def stills_part(stills):
    rows = []
    for kind in ('set', 'race', 'gender', 'age'):
        groups = collections.defaultdict(list)
        for s in stills:
            if kind == 'set' or s['set'] == 'fairface_val':
                groups[s[kind]].append(s)
        for name, of in sorted(groups.items(), key=str):
            rows.append([name, len(of), share(sum(s['faces'] == 0 for s in of), len(of)), sum(s['faces'] > 1 for s in of), sum(s['usable'] for s in of)])
    return table(('stills (groups: of fairface_val)', 'n', 'no face found', 'more than one', 'one, nearly ahead: usable'), rows)


def whole_part(clips, found):
    had = [r for r in clips if r['evidence']]
    seen = [r for r in had if person(r)]
    both = [r for r in seen if r.get('source') and r.get('result')]
    replaced = [frames(r) for r in clips]
    failed = collections.Counter(x['code'] for r in had if not r['evidence']['pass'] for x in r['evidence']['reasons'])
    uncovered = [r['evidence']['uncovered']['faces'] for r in had]
    rows = [('clips (one person each)', len(clips)),
            ('without evidence', len(clips) - len(had)),
            ('held back', share(sum(not r['evidence']['pass'] for r in had), len(had)) + (f" ({', '.join(f'{k} {n}' for k, n in failed.most_common())})" if failed else '')),
            ('frames replaced', share(sum(a for a, _ in replaced), sum(b for _, b in replaced))),
            ('clips with at least 98 % replaced', share(sum(a >= .98 * b for a, b in replaced), len(replaced))),
            ('uncovered faces; clips with one', f'{sum(uncovered)}; {share(sum(x > 0 for x in uncovered), len(had))}')]
    for judge in ('MobileFaceNet', 'dlib', 'faceres'):
        of = [p for p in (((person(r) or {}).get('reidentification') or {}).get(judge) for r in seen) if p]
        n = sum(p['frames'] for p in of)
        for far in ('1e-2', '1e-3'):
            rows.append((f'{judge}: frames matched at {far} (FairFace)', share(sum(p['match_at'][far] for p in of), n)))
        rows.append((f'{judge}: frames matched at its usual limit, the stricter for us', share(sum(p['match_frames'] for p in of), n)))
        higher = of and of[0]['higher_is_closer']
        rows.append((f'{judge}: clip averages that match', share(sum((p['clip_average'] > p['threshold']) == higher for p in of if p['clip_average'] is not None), len(of))))
    for one in (found or {}).get('recognisers', []):
        v, rank = one['verification'], one['rank_1'] or {}
        rows.append((f"{one['name']}: persons found at 1e-3 / at its limit, by clip averages", f"{share(v['1e-3']['found'], v['1e-3']['of'])}; {share(v['limit']['found'], v['limit']['of'])}"))
        if rank:
            rows.append((f"{one['name']}: rank 1 among {rank['gallery']} (chance {100 * rank['chance']:.2f} %)", f"{share(rank['found'], rank['of'])}; the recordings themselves {rank['unmasked']['found']}/{rank['unmasked']['of']}"))
        w = one['worst'] or {}
        if w:
            name = os.path.basename(w['person'].split('/private/')[0])
            kind = next((f"{r['race'] or 'AI-made'}, {r['gender']}, {r['age']}" for r in clips if r['name'] == name), 'a person')
            rows.append((f"{one['name']}: nearest to its person", f"{kind}: {w['likeness']:.2f} (limit {w['threshold']:.2f})"))
    for name in ('gender', 'age', 'race'):
        of = [c for c in (context(r, name) for r in seen) if c]
        word = 'within one bin' if name == 'age' else 'the same'
        rows.append((f'{name} {word}, attributes-b on both sides', share(sum(bool(c['agree']) for c in of), len(clips))))
        told = [r for r in clips if r[name]]
        ok = [r for r in told if context(r, name) and (near(r[name], context(r, name)['after']) if name == 'age' else context(r, name)['after'] == r[name])]
        same = [r for r in told if context(r, name) and (near(r[name], context(r, name)['before']) if name == 'age' else context(r, name)['before'] == r[name])]
        rows.append((f'{name}: result read as the label says; the recording so read', f'{share(len(ok), len(told))}; {share(len(same), len(told))}'))
    x = [context(r, 'expression') for r in seen if context(r, 'expression')]
    agree, self_ = sum(c['agree_frames'] or 0 for c in x), sum(c['self_agree_frames'] or 0 for c in x)
    rows.append(('expression: frames that agree, of those in which the judge agrees with itself', f'{agree}/{self_} = {agree / self_:.3f}' if self_ else '-'))
    return table(('what', 'reached'), rows), both, seen


def motion_part(both, seen):
    rows = []
    for axis in AXES:
        rows.append((f'{axis}, degrees: fr_pose, recording against result', middle([(context(r, 'head_pose').get('error') or {}).get(axis) for r in seen]) + '; of it a constant offset ' +
                     middle([abs(x) if (x := (context(r, 'head_pose').get('offset') or {}).get(axis)) is not None else None for r in seen])))
        rows.append((f'{axis}, degrees: mesh, recording against result', middle([(context(r, 'head_pose').get('mesh_error') or {}).get(axis) for r in seen])))
        rows.append((f'{axis}, degrees: mesh against what was put in: recording; result', '; '.join(middle([turn_errors(r, s, axis) for r in both]) for s in ('source', 'result'))))
    rows.append(('gaze, degrees: mesh, recording against result', middle([context(r, 'gaze').get('error') for r in seen], 1)))
    rows.append(('gaze, degrees: mesh against what was put in: recording; result', '; '.join(middle([gaze_errors(r, s) for r in both], 1) for s in ('source', 'result'))))
    for words, truth, read in (('eye opening', 'lids', 'eyes'), ('lip gap', 'gap', 'lips'), ('mouth width', 'width', 'width'), ('gaze to the side', 'gaze_x', 'gaze_x')):
        rows.append((f'{words}, r over frames: recording with truth; result with truth; result with recording', '; '.join(middle(v) for v in follow(both, truth, read))))
    put_in, before, after = (lambda r: np.array(r['known']['lids'])), (lambda r: numbers(r, 'source', 'eyes')), (lambda r: numbers(r, 'result', 'eyes'))
    for words, a, b in (('put in / seen in the recording', put_in, before), ('put in / seen in the result', put_in, after), ('seen in the recording / in the result', before, after)):
        rows.append((f'blinks F1, {words} / matched', f1(blink_counts(both, a, b))))
    flicker = [r['evidence']['flicker_ratio'] for r in seen if r['evidence']['flicker_ratio'] is not None]
    rows.append(('flicker, result over recording', f'{middle(flicker)}; from 0.8 to 1.3: {share(sum(.8 <= f <= 1.3 for f in flicker), len(flicker))}'))
    rows.append(('wobble of MobileFaceNet, result over recording', middle([p['reidentification']['MobileFaceNet'].get('wobble_ratio') for p in map(person, seen) if p['reidentification'].get('MobileFaceNet')])))
    return table(('what', 'median (quartiles), clips'), rows)


def bars_part(both, seen):
    """In how many clips each figure is as asked; a clip in which it could not be read does not count."""
    of = lambda name, key: [v for v in (context(r, name).get(key) for r in seen) if v is not None]
    rows = []
    for axis in AXES:
        for words, key in (('fr_pose', 'error'), ('mesh', 'mesh_error')):
            rows.append((f'{axis} at most 1.5 degrees, {words}', [v[axis] for v in of('head_pose', key) if v.get(axis) is not None], lambda v: v <= 1.5))
    rows.append(('gaze at most 3 degrees', of('gaze', 'error'), lambda v: v <= 3))
    for words, truth, read, bar in (('eye opening', 'lids', 'eyes', .95), ('lip gap', 'gap', 'lips', .93), ('mouth width', 'width', 'width', .85)):
        rows.append((f'{words}, r of result with recording at least {bar}', [v for v in follow(both, truth, read)[2] if v is not None], lambda v, bar=bar: v >= bar))
    turned = collections.Counter((c['before'], c['after']) for c in (context(r, 'expression') for r in seen) if c and c.get('before') != c.get('after'))
    return table(('asked', 'clips that reach it'), [(words, share(sum(map(good, values)), len(values))) for words, values, good in rows]) + '\nexpression of a clip read otherwise: ' + \
        (', '.join(f'{a} as {b} {n}' for (a, b), n in turned.most_common(8)) or 'none') + '\n'


def groups_part(clips):
    rows = []
    views = [('race', lambda r: r['race']), ('gender', lambda r: r['gender']), ('age', lambda r: r['age']), ('skin', tone), ('light', light), ('glasses', lambda r: (lambda g: None if not g else 'glasses' if g.get('value') else 'no glasses')(((r.get('context') or [{}]) or [{}])[0].get('glasses')))]
    for _, of in views:
        groups = collections.defaultdict(list)
        for r in clips:
            if of(r):
                groups[of(r)].append(r)
        for name, members in sorted(groups.items()):
            seen = [r for r in members if person(r)]
            count = [frames(r) for r in members]
            again = [p for p in ((person(r)['reidentification'] or {}).get('MobileFaceNet') for r in seen) if p]
            ok = {k: sum(bool(context(r, k).get('agree')) for r in seen) for k in ('gender', 'age', 'race')}
            x = [context(r, 'expression') for r in seen if context(r, 'expression')]
            self_ = sum(c['self_agree_frames'] or 0 for c in x)
            rows.append([name, len(members), within(sum(a >= .98 * b for a, b in count), len(count)), sum(not (r['evidence'] or {}).get('pass') for r in members), f"{sum(p['match_frames'] for p in again)}/{sum(p['frames'] for p in again)}",
                         middle([p['mean'] for p in again]).split(',')[0].split(' ')[0], *(within(ok[k], len(members)) for k in ('gender', 'age', 'race')), f"{sum(c['agree_frames'] or 0 for c in x) / self_:.2f}" if self_ else '-',
                         middle([(context(r, 'head_pose').get('mesh_error') or {}).get('yaw') for r in seen], 1).split(' ')[0], middle([context(r, 'gaze').get('error') for r in seen], 1).split(' ')[0]])
    return table(('group', 'n', '≥ 98 % replaced', 'held back', 'MobileFaceNet matches', 'its mean', 'gender', 'age ±1', 'race', 'expression', 'yaw °', 'gaze °'), rows)


# --- independence ---------------------------------------------------------------------------------------------------
def information(x, y):
    """Mutual information of two arrays of small integers, in bit, as the table of counts has it (too large for small samples)."""
    counts = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(counts, (x, y), 1)
    p = counts / counts.sum()
    outer = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
    ok = p > 0
    return float((p[ok] * np.log2(p[ok] / outer[ok])).sum())


def coded(values):
    names = sorted(set(values))
    return np.array([names.index(v) for v in values])


def independence(labels, owners, readings, rounds=300, seed=1):
    """Mutual information of persons' labels and readings of results. The labels are dealt anew among the persons `rounds` times: their mean is what chance
    alone gives with so many persons and rows, and is taken off. The interval is a bootstrap's over persons, centred on the
    figure: rows that are drawn twice look dependent.
    -> dict raw, chance, bits, low, high, p, rows, persons"""
    random = np.random.default_rng(seed)
    who, x, y = coded(owners), coded(labels), coded(readings)
    of = np.zeros(who.max() + 1, int)
    of[who] = x

    def corrected(who, of, y, rounds):
        raw = information(of[who], y)
        dealt = np.array([information(random.permutation(of)[who], y) for _ in range(rounds)])
        return raw, dealt

    raw, dealt = corrected(who, of, y, rounds)
    rows_of = [np.flatnonzero(who == k) for k in range(len(of))]
    again = []
    for _ in range(rounds):
        pick = random.integers(0, len(of), len(of))
        rows = np.concatenate([rows_of[k] for k in pick])
        new = np.repeat(np.arange(len(pick)), [len(rows_of[k]) for k in pick])
        a, d = corrected(new, of[pick], y[rows], 12)
        again.append(a - d.mean())
    low, high = raw - dealt.mean() + np.percentile(again, (2.5, 97.5)) - np.mean(again)  # drawing persons twice adds information of its own
    return dict(raw=raw, chance=float(dealt.mean()), bits=raw - float(dealt.mean()), low=float(low), high=float(high), p=float((dealt >= raw).mean()), rows=len(y), persons=len(of))


def told(rows, name, label, rounds=400):
    """How often results are read as the person is, and how often when the persons' labels are dealt anew: what leaks a little shows here before it does in bits."""
    random, names = np.random.default_rng(2), sorted({r['name'] for r in rows})
    labels, who = np.array([label[n][name] for n in names]), np.array([names.index(r['name']) for r in rows])
    read = np.array([r['read'][name][1] for r in rows])
    dealt = [100 * np.mean(random.permutation(labels)[who] == read) for _ in range(rounds)]
    low, high = np.percentile(dealt, (2.5, 97.5))
    return f'{100 * np.mean(labels[who] == read):.1f} % (dealt {np.mean(dealt):.1f} [{low:.1f}, {high:.1f}])'


def independence_part(redraws, crossed, stills):
    label = {s['name']: s for s in stills}
    rows = []
    for words, some in (('whole runs', redraws), ('whole runs and crossed stand-ins', redraws + crossed)):
        able = [r for r in some if r['replaced'] and r['read'] and r['plan']]
        for k in ('race', 'age', 'gender'):
            use = [r for r in able if r['read'][k][1] and label[r['name']][k]]
            if len({r['name'] for r in use}) < 8:
                continue
            i = independence([label[r['name']][k] for r in use], [r['name'] for r in use], [r['read'][k][1] for r in use])
            plan = independence([label[r['name']][k] for r in use], [r['name'] for r in use], [r['plan'][k] for r in use], 60)
            seeds = len({(r.get('donor', r['name']), r['seed']) for r in use})  # stand-ins
            rows.append([f'{k}, {words}', f"{i['rows']}; {i['persons']}; {seeds}", f"{i['bits']:.3f} [{i['low']:.3f}, {i['high']:.3f}]", f"{i['raw']:.3f} - {i['chance']:.3f}", f"{i['p']:.3f}", f"{plan['bits']:.3f}",
                         f"{100 * np.mean([r['read'][k][1] == r['plan'][k] for r in use]):.0f} %", told(use, k, label)])
    return table(('redrawn', 'readings; persons; seeds', 'bit [95 %]', 'measured - dealt at random', 'p', 'of the plan itself', 'read as planned', 'read as the person'), rows)


def document(stills, clips, redraws, crossed, found):
    parts = ['### Stills', stills_part(stills)]
    if clips:
        whole, both, seen = whole_part(clips, found)
        parts += ['### Clips', f"CPU a clip {middle([r.get('cpu') for r in clips], 0)} s", whole, '### Motion', motion_part(both, seen), '### Bars', bars_part(both, seen), '### Groups', groups_part(clips)]
    if redraws or crossed:
        parts += ['### Redrawn contexts', f'{len(redraws)} whole runs, {len(crossed)} crossed', independence_part(redraws, crossed, stills)]
    return '\n\n'.join(parts)
