"""Wilson's 95 % interval of a share: 0 found among 20 is not "none", it is "at most 16 %"."""
import math


def wilson(found, of):
    """-> (low, high); of nothing, everything is possible"""
    if not of:
        return 0.0, 1.0
    z, p = 1.96, found / of
    middle, half = p + z * z / 2 / of, z * math.sqrt(p * (1 - p) / of + z * z / 4 / of / of)
    return max(0.0, (middle - half) / (1 + z * z / of)), min(1.0, (middle + half) / (1 + z * z / of))
