"""A still of a face made to move by a motion that is known: what bench/derived puts to the test.

The picture itself is warped, triangle by triangle, along the mesh that `mmdm find` fits to the still: none of the code that is being judged draws
anything here, and the person in every frame is the person of the still. The head turns as a solid (the mesh's own depth), the jaw and lips open,
the lids close over eyes that stay where they are, the eyes look aside. Hair and shoulders follow the head less the further they are away.
"""
import cv2
import numpy as np
from scipy.spatial import Delaunay

FPS, FRAMES = 15, 36
OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]
EYES = [dict(outer=33, inner=133, up=[246, 161, 160, 159, 158, 157, 173], lo=[7, 163, 144, 145, 153, 154, 155], skin=[247, 30, 29, 27, 28, 56, 190], iris=468),
        dict(outer=263, inner=362, up=[466, 388, 387, 386, 385, 384, 398], lo=[249, 390, 373, 374, 380, 381, 382], skin=[467, 260, 259, 257, 258, 286, 414], iris=473)]
INNER_UPPER, INNER_LOWER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308], [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
UPPER_LIP = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292] + INNER_UPPER
CORNERS = 61, 291


# --- the motion -----------------------------------------------------------------------------------------------------
def draw_motion(seed, frames=FRAMES, fps=FPS):
    """-> dict of float arrays [frames]: yaw, pitch, roll (degrees, added to the still's own pose), shift [frames, 2] and scale (of the face's width, ratio),
    lids (1 as in the still .. 0 shut), gap (lip opening added, of the mouth's width), width (of the mouth, ratio), gaze [frames, 2] (eye widths right, down)."""
    r = np.random.default_rng(seed)
    t = np.arange(frames) / fps

    def wave(size, low=.25, high=.7):
        return size * (np.sin(2 * np.pi * (r.uniform(low, high) * t + r.random())) + .35 * np.sin(2 * np.pi * (r.uniform(high, 2 * high) * t + r.random())))

    lids = np.ones(frames)
    for start in (r.integers(3, frames // 2 - 7), r.integers(frames // 2 + 3, frames - 8)):
        lids[start:start + 6] = (.45, .05, 0, 0, .1, .5)
    speech = np.maximum(0, wave(1, 1.2, 2.6) + .1) * np.clip(wave(1, .3, .6) + .6, 0, 1)
    looks = np.repeat(r.uniform((-.2, -.06), (.2, .06), (frames // 9 + 1, 2)), 9, axis=0)[:frames]
    return dict(yaw=wave(r.uniform(4, 9)), pitch=wave(r.uniform(2.5, 6)), roll=wave(r.uniform(2, 6)), shift=np.stack([wave(.06), wave(.04)], 1), scale=1 + wave(.03),
                lids=lids, gap=np.clip(.22 * speech, 0, .4), width=1 + wave(.09, .8, 1.8), gaze=looks)


# --- the moved mesh -------------------------------------------------------------------------------------------------
def rotation(yaw, pitch, roll):
    """Degrees, in the picture's axes (x right, y down, z away): + towards image right, down, clockwise."""
    y, p, r = np.radians((yaw, pitch, roll))
    ry = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    rx = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    rz = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return rz @ rx @ ry


def outline(points, grow):
    centre = points[OVAL, :2].mean(0)
    return centre + grow * (points[OVAL, :2] - centre)


class Still:
    """picture: u8 [h, w, 3] BGR; points: f32 [478, 3] px of it, z away from the camera, as geometry.safetensors has them."""

    def __init__(self, picture, points):
        self.picture, self.points = picture, points.astype(float)
        self.width = np.ptp(self.points[OVAL, 0])
        h, w = picture.shape[:2]
        border = np.array([(x, y) for x in np.linspace(0, w - 1, 7) for y in (0, h - 1)] + [(x, y) for y in np.linspace(0, h - 1, 7)[1:-1] for x in (0, w - 1)])
        self.rings = (1.12, .9), (1.35, .6), (1.75, .2)
        self.fixed = np.vstack([self.points[:468, :2]] + [outline(self.points, g) for g, _ in self.rings] + [border])
        self.border = border
        self.triangles = Delaunay(self.fixed).simplices
        self.closed = np.linalg.norm(self.points[13, :2] - self.points[14, :2]) < .05 * np.linalg.norm(self.points[78, :2] - self.points[308, :2])
        self.outside = (self.triangles >= 468).any(1)
        self.skull = np.array([*self.points[[234, 454], :2].mean(0), self.points[[234, 454], 2].mean() + .15 * self.width])

    def facing(self, points):
        """Which way round each triangle lies"""
        a, b, c = np.moveaxis(points[self.triangles], 1, 0)
        return (b - a)[:, 0] * (c - a)[:, 1] > (b - a)[:, 1] * (c - a)[:, 0]

    def solid(self, points, m, i):
        turned = (points - self.skull) @ rotation(m['yaw'][i], m['pitch'][i], m['roll'][i]).T
        return m['scale'][i] * turned + self.skull + [*(m['shift'][i] * self.width), 0]

    def expression(self, m, i):
        """The still's points with mouth and lids moved, before the head turns."""
        p = self.points.copy()
        left, right = p[CORNERS[0], :2], p[CORNERS[1], :2]
        span = np.linalg.norm(right - left)
        across = (right - left) / span
        down = np.array([-across[1], across[0]])
        middle = (left + right) / 2
        u, v = (p[:468, :2] - middle) @ across, (p[:468, :2] - middle) @ down
        face = np.abs((p[OVAL, :2] - middle) @ across).max()
        chin = np.max((p[OVAL, :2] - middle) @ down)
        # lips and jaw: the lower lip and all below it go down, most in the middle; the corners widen
        lower = np.clip(1 - (u / np.where(v < .35 * chin, .56 * span, .9 * face)) ** 2, 0, 1) * np.clip(1 + v / (.1 * span), 0, 1)
        lower[UPPER_LIP] = 0
        lower[INNER_LOWER[1:-1]] = np.clip(1 - (u[INNER_LOWER[1:-1]] / (.52 * span)) ** 2, .25, 1)
        wide = (m['width'][i] - 1) * u * np.exp(-(v / (.5 * span)) ** 2) * np.clip(1.4 - np.abs(u) / span, 0, 1)
        p[:468, :2] += np.outer(lower * m['gap'][i] * span, down) + np.outer(wide, across)
        for eye in EYES:
            shut = 1 - m['lids'][i]
            for up, lo, skin in zip(eye['up'], eye['lo'], eye['skin']):
                step = shut * (self.points[lo] - self.points[up]) * .97
                p[up] += step
                p[skin] += .45 * step
        return p

    # --- the picture ------------------------------------------------------------------------------------------------
    def sources(self, moved, depth, shut):
        """Where in the still each pixel of the frame comes from: two maps f32 [h, w]. Near triangles hide far ones, and the back of the face is not drawn.
        A lid that comes down shows its skin, not its lashes drawn out."""
        here = self.fixed.copy()
        for eye in EYES:
            here[eye['up']] += .4 * shut * (here[eye['skin']] - here[eye['up']])
        h, w = self.picture.shape[:2]
        order = np.argsort(-np.max(depth[self.triangles], axis=1), kind='stable')
        number = np.full((h, w), -1, np.float32)
        corners = np.round(moved[self.triangles] * 16).astype(np.int32)
        front = self.facing(moved) == self.facing(self.fixed)
        for k in order[front[order] | self.outside[order]]:
            cv2.fillConvexPoly(number, corners[k], float(k), cv2.LINE_8, 4)
        to = np.concatenate([moved[self.triangles], np.ones((len(self.triangles), 3, 1))], 2)
        flat = np.abs(np.linalg.det(to)) < 1e-3
        to[flat] = np.eye(3)
        back = np.linalg.solve(to, here[self.triangles])  # [triangles, 3, 2]
        y, x = np.mgrid[:h, :w].astype(np.float32)
        k = number.astype(int)
        known = k >= 0
        b = back[np.maximum(k, 0)]
        mx, my = (np.where(known, b[..., 0, c] * x + b[..., 1, c] * y + b[..., 2, c], (x, y)[c]).astype(np.float32) for c in (0, 1))
        return mx, my

    def eye(self, frame, eye, moved, gaze):
        """The eyeball between the moved lids: the still's own, shifted by the gaze, not squeezed by the lids."""
        s = self.points[:, :2]
        ring = [eye['outer']] + eye['up'] + [eye['inner']] + eye['lo'][::-1]
        mask = np.zeros(frame.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(moved[ring] * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        a, b = s[eye['outer']], s[eye['inner']]
        ma, mb = moved[eye['outer']], moved[eye['inner']]
        z = complex(*(b - a)) / complex(*(mb - ma))  # the similarity from frame to still
        y, x = np.nonzero(mask)
        if not len(y):
            return
        at = (x + 1j * y - complex(*ma)) * z + complex(*a)
        span = abs(complex(*(b - a)))
        iris = complex(*s[eye['iris']])
        axis = complex(*(b - a)) / span * (1 if b[0] > a[0] else -1)
        at -= gaze[0] * span * axis * np.clip(1.25 - np.abs(at - iris) / (.6 * span), 0, 1) + 1j * gaze[1] * span * axis * np.clip(1.25 - np.abs(at - iris) / (.6 * span), 0, 1)
        inside = cv2.remap(self.picture, at.real.astype(np.float32)[None], at.imag.astype(np.float32)[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        alpha = mask[y, x, None] / 255
        frame[y, x] = (alpha * inside + (1 - alpha) * frame[y, x]).astype(np.uint8)

    def lashes(self, frame, eye, moved, shut):
        line = np.round(moved[[eye['outer']] + eye['up'] + [eye['inner']]] * 16).astype(np.int32)
        over = frame.copy()
        dark = np.percentile(self.picture[np.clip(self.points[eye['up'], 1].astype(int), 0, frame.shape[0] - 1), np.clip(self.points[eye['up'], 0].astype(int), 0, frame.shape[1] - 1)], 10, axis=0)
        cv2.polylines(over, [line], False, [float(c) for c in .7 * dark], 1, cv2.LINE_AA, 4)
        cv2.addWeighted(over, .8 * shut, frame, 1 - .8 * shut, 0, frame)

    def mouth(self, frame, moved, gap):
        """What shows between opened lips: dark, with a row of upper teeth when there is room."""
        ring = moved[INNER_UPPER + INNER_LOWER[-2:0:-1]]
        mask = np.zeros(frame.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(ring * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        skin = np.median(self.picture[tuple(np.clip(self.points[[50, 280, 101, 330], 1::-1].astype(int).T, 0, np.array(frame.shape[:2])[:, None] - 1))], axis=0)
        inside = np.empty_like(frame)
        inside[:] = (skin * (.16, .14, .3)).astype(np.uint8)
        top = moved[INNER_UPPER]
        deep = np.array([0, .45 * np.linalg.norm(moved[13] - moved[14])])
        teeth = np.vstack([top[2:-2] - deep * .2, (top[2:-2] + deep)[::-1]])
        cv2.fillPoly(inside, [np.round(teeth * 16).astype(np.int32)], [float(c) for c in np.minimum(235, skin * (.95, .9, .85))], cv2.LINE_AA, 4)
        alpha = cv2.GaussianBlur(mask, (3, 3), 0)[..., None] / 255 * min(1, gap / .05)
        frame[:] = (alpha * cv2.GaussianBlur(inside, (3, 3), 0) + (1 - alpha) * frame).astype(np.uint8)

    def frame(self, m, i):
        """Frame `i` of motion `m`: u8 [h, w, 3]."""
        shaped = self.expression(m, i)
        turned = self.solid(shaped, m, i)
        rest = self.solid(self.points, m, i)
        centre, moved = self.points[OVAL, :2], rest[OVAL, :2]
        rings = [outline(self.points, g) + share * (moved - centre) for g, share in self.rings]
        place = np.vstack([turned[:468, :2], *rings, self.border])
        depth = np.concatenate([turned[:468, 2], np.full(len(place) - 468, turned[:468, 2].max() + 1)])
        out = cv2.remap(self.picture, *self.sources(place, depth, 1 - m['lids'][i]), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        if self.closed and m['gap'][i] > 0:
            self.mouth(out, turned[:, :2], m['gap'][i])
        for eye in EYES:
            self.eye(out, eye, turned[:, :2], m['gaze'][i])
            if m['lids'][i] < 1:
                self.lashes(out, eye, turned[:, :2], 1 - m['lids'][i])
        return out
