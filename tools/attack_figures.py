"""What the attackers of tools/attack_informed.py and attack_reversal.py are asked, and on whom."""
import numpy as np

from interval import wilson

RATES = 1e-2, 1e-3


def split(person, part, parts, random):
    """-> ids of the persons to test (this part of them) and of all others, in a random order that is the same for each part"""
    ids = random.permutation(np.unique(person))
    return ids[part::parts], np.concatenate([ids[k::parts] for k in range(parts) if k != part])


def figures(masked, recorded, person):
    """masked, recorded [n, d]; the gallery is a person's mean"""
    ids = np.unique(person)
    mean = lambda v: np.stack([v[person == i].mean(0) for i in ids])
    distance = np.linalg.norm(mean(masked)[:, None] - mean(recorded)[None], axis=-1)
    own = np.diag(distance)
    other = distance[~np.eye(len(ids), dtype=bool)]
    ranks = (distance < own[:, None]).sum(1)
    counted = lambda found: dict(found=int(found.sum()), interval=[round(x, 4) for x in wilson(int(found.sum()), len(ids))])
    row = dict(persons=len(ids), rank_1=counted(ranks == 0), chance=round(1 / len(ids), 4), rank_10=counted(ranks < 10), median_rank=float(np.median(ranks) + 1),
               auc=round(float((own[:, None] < other[None]).mean()), 4))
    for r in RATES:
        row[f"found_at_{r:g}"] = counted(own < np.quantile(other, r))
    return row
