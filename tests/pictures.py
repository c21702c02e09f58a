"""Simulated pictures of given digits, of the kinds that people send, to measure the reader on.

    picture = draw("ruled", digit, np.random.default_rng(0))     # PIL image, RGB or RGBA

Every kind varies its sizes, pens, papers and light as widely as real pictures do.
"""

import io

import cv2
import numpy as np
from PIL import Image

# Shifts that bring a pixel's neighbours onto it, clockwise from the one above.
AROUND = [(1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)]


def draw(kind, digit, rng):
    """A picture of that kind (a key of KINDS): PIL image. digit: uint8 (28, 28), rng: Generator."""
    return KINDS[kind](digit, rng)


def pen_strokes(digit, side, rng, width=None):
    """The digit redrawn `side` px high: float32 (h, w), 0 paper to 1 ink, cropped to its box.

    width: of the pen in px; None keeps the digit's own strokes. The skeleton of the enlarged digit
    is drawn again with a round pen.
    """
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    box = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = side / max(box.shape)
    padded = cv2.copyMakeBorder(box, 2, 2, 2, 2, cv2.BORDER_CONSTANT)
    big = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    big = cv2.GaussianBlur(big, (0, 0), max(0.3, scale * 0.25))
    if width is None:
        ink = np.clip((big.astype(np.float32) - 127) / max(8, 250 / max(scale, 1)) + 0.5, 0, 1)
    else:
        ink = _with_pen(big > 127, width)
        if not _same_form(ink > 0, big > 127, scale):
            return pen_strokes(digit, side, rng)
    filled = np.argwhere(ink > 0.1)
    if not len(filled):
        return np.full((4, 4), 1, np.float32)
    (top, left), (bottom, right) = filled.min(axis=0), filled.max(axis=0) + 1
    return ink[top:bottom, left:right]


def _same_form(drawn, mask, scale):
    """Whether the drawing has the loops of the mask and leaves out no part of it."""
    loops = [
        cv2.connectedComponents(np.pad(~ink, 1, constant_values=True).astype(np.uint8))[0]
        for ink in (drawn, mask)
    ]
    pad = (drawn.shape[0] - mask.shape[0]) // 2
    drawn = drawn[pad : pad + mask.shape[0], pad : pad + mask.shape[1]].astype(np.uint8)
    reach = np.ones([2 * round(1.8 * scale) + 1] * 2, np.uint8)
    missed = mask & (cv2.dilate(drawn, reach) == 0)
    return loops[0] == loops[1] and missed.sum() < 0.01 * mask.sum()


def _with_pen(mask, width):
    """The mask's middle line drawn again with a round pen `width` px wide."""
    scale = max(1.0, max(mask.shape) / 72)  # fine enough for the form, coarse enough to be smooth
    small = cv2.resize(
        mask.astype(np.uint8), None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA
    )
    points = np.argwhere(_thinned(np.pad(small, 1)))
    pad = int(width) + 2
    drawn = np.zeros([side + 2 * pad for side in mask.shape], np.uint8)
    known = {tuple(point) for point in points.tolist()}
    for y, x in known:
        for step in ((0, 0), (0, 1), (1, -1), (1, 0), (1, 1)):
            other = y + step[0], x + step[1]
            if other in known:
                ends = [
                    (round(b * scale) + pad, round(a * scale) + pad) for a, b in ((y, x), other)
                ]
                cv2.line(drawn, *ends, 1, max(1, round(width)))
    return drawn.astype(np.float32)


def _thinned(mask):
    """The middle line of a mask, one pixel wide (Zhang and Suen 1984)."""
    mask = mask.astype(bool)
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            p = [np.roll(mask, shift, (0, 1)) for shift in AROUND]
            ring = sum(side.astype(int) for side in p)
            turns = sum((~a & b).astype(int) for a, b in zip(p, p[1:] + p[:1], strict=True))
            north, east, south, west = p[0], p[2], p[4], p[6]
            if first:
                free = ~(north & east & south) & ~(east & south & west)
            else:
                free = ~(north & east & west) & ~(north & south & west)
            gone = mask & (ring >= 2) & (ring <= 6) & (turns == 1) & free
            mask = mask & ~gone
            changed |= bool(gone.any())
    return mask


def on_page(ink, height, width, rng, place=None):
    """The ink on an empty page: float32 (height, width). place: (top, left), else anywhere."""
    page = np.zeros((height, width), np.float32)
    free = height - ink.shape[0], width - ink.shape[1]
    top, left = place or (
        int(rng.integers(0, max(1, free[0]))),
        int(rng.integers(0, max(1, free[1]))),
    )
    top, left = max(0, min(top, free[0])), max(0, min(left, free[1]))
    part = page[top : top + ink.shape[0], left : left + ink.shape[1]]
    part[:] = ink[: part.shape[0], : part.shape[1]]
    return page


def blend(page, paper, ink):
    """The page in colours: float32 (h, w, 3). paper, ink: colour (3,) or such a picture."""
    share = page[..., None]
    colours = [np.broadcast_to(np.asarray(c, np.float32), (*page.shape, 3)) for c in (paper, ink)]
    return colours[0] + share * (colours[1] - colours[0])


def as_picture(pixels):
    """Float pixels in 0..255 as PIL image."""
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def as_jpeg(pixels, rng):
    """The pixels as a JPEG gives them back: PIL image RGB."""
    file = io.BytesIO()
    as_picture(pixels).save(file, "JPEG", quality=int(rng.integers(35, 96)))
    return Image.open(file).convert("RGB")


def light(height, width, rng, depth):
    """Uneven light: float32 (h, w, 1) factors of 1 - depth to 1, smooth."""
    coarse = rng.uniform(1 - depth, 1, (3, 3)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0.1, 1)[
        ..., None
    ]


def camera(pixels, rng, noise=None):
    """Blur and noise of a camera."""
    pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.4))
    sigma = rng.uniform(1, 6) if noise is None else noise
    grain = rng.normal(0, sigma, pixels.shape).astype(np.float32)
    if rng.random() < 0.5:  # neighbouring pixels of a compressed photo share their noise
        grain = cv2.GaussianBlur(grain, (0, 0), 1) * 2
    return pixels + grain


def paper_colour(rng):
    """Nearly white to beige or greyish: float (3,)."""
    return rng.uniform(150, 250) * rng.uniform([0.95, 0.93, 0.82], [1.0, 1.0, 1.0])


def ink_colour(rng):
    """Black, blue, red or green pen: float (3,)."""
    pens = [(20, 20, 20), (40, 40, 45), (25, 35, 130), (40, 60, 170), (150, 30, 40), (20, 90, 40)]
    return np.array(pens[rng.integers(len(pens))]) + rng.uniform(0, 25, 3)


def _sheet(digit, rng, share=(0.25, 0.8), pen=(0.02, 0.16)):
    """(page, height, width): a digit by pen on a page of a photo's size."""
    long = int(rng.choice([280, 400, 640, 1024]))
    height, width = (long, int(long * rng.uniform(0.6, 1)))[:: rng.choice([1, -1])]
    side = max(24, int(rng.uniform(*share) * min(height, width)))
    own = rng.random() < 0.4
    ink = pen_strokes(digit, side, rng, None if own else max(2, side * rng.uniform(*pen)))
    return on_page(ink, height, width, rng), height, width


def photo(digit, rng):
    page, height, width = _sheet(digit, rng)
    pixels = blend(page, paper_colour(rng), ink_colour(rng)) * light(height, width, rng, 0.5)
    return as_jpeg(camera(pixels, rng), rng)


def hard_shadow(digit, rng):
    page, height, width = _sheet(digit, rng)
    pixels = blend(page, paper_colour(rng), ink_colour(rng))
    shade = np.zeros((height, width), np.float32)
    angle, (y, x) = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8, 2) * (height, width)
    away = np.array([np.cos(angle), np.sin(angle)]) * 2 * max(height, width)
    along = np.array([-away[1], away[0]])
    corners = np.array(
        [[x, y] + along, [x, y] - along, [x, y] - along + away, [x, y] + along + away]
    )
    cv2.fillPoly(shade, [corners.astype(np.int32)], 1)
    if rng.random() < 0.5:
        shade = cv2.GaussianBlur(shade, (0, 0), rng.uniform(0.5, 0.03 * max(height, width)))
    pixels = (
        pixels * (1 - shade * rng.uniform(0.2, 0.6))[..., None] * light(height, width, rng, 0.2)
    )
    return as_jpeg(camera(pixels, rng), rng)


def _lines(height, width, rng, squared):
    """Ruled or squared paper: float32 (h, w), 0 between the lines, 1 on them."""
    lines = np.zeros((height, width), np.float32)
    step = int(rng.uniform(0.06, 0.25) * max(height, width))
    thick = max(1, round(max(height, width) * rng.uniform(0.001, 0.004)))
    tilt = rng.uniform(-0.12, 0.12)
    start = int(rng.integers(step))
    for y in range(start - height, 2 * height, step):
        cv2.line(lines, (0, y), (width, int(y + tilt * width)), 1, thick)
    if squared:
        for x in range(start - width, 2 * width, step):
            cv2.line(lines, (x, 0), (int(x - tilt * height), height), 1, thick)
    return lines


def _on_lines(digit, rng, squared):
    page, height, width = _sheet(digit, rng, share=(0.3, 0.75), pen=(0.04, 0.12))
    paper = np.broadcast_to(paper_colour(rng).astype(np.float32), (height, width, 3))
    colour = paper[0, 0] * rng.uniform([0.55, 0.55, 0.75], [0.85, 0.85, 0.98])
    paper = blend(_lines(height, width, rng, squared), paper, colour)
    pixels = blend(page, paper, ink_colour(rng)) * light(height, width, rng, 0.4)
    return as_jpeg(camera(pixels, rng), rng)


def ruled(digit, rng):
    return _on_lines(digit, rng, squared=False)


def squared(digit, rng):
    return _on_lines(digit, rng, squared=True)


def paint(digit, rng):
    """A paint program: one pen, flat paper, no smoothing of edges."""
    height, width = rng.integers(60, 700, 2)
    side = max(24, int(min(height, width) * rng.uniform(0.35, 0.95)))
    ink = pen_strokes(digit, side, rng, max(1, side * rng.uniform(0.01, 0.15)))
    page = on_page(ink, height, width, rng)
    pair = np.array([[0, 0, 0], [255, 255, 255]])
    if rng.random() < 0.4:
        pair = np.array([rng.uniform(0, 110, 3), rng.uniform(200, 255, 3)])
    ink_is_dark = rng.random() < 0.6
    return as_picture(blend(page, pair[int(ink_is_dark)], pair[int(not ink_is_dark)]))


def canvas(digit, rng):
    """A drawing canvas of a web page: smooth wide pen, white on black or the reverse."""
    side = int(rng.choice([150, 200, 280, 400, 560]))
    high = int(side * rng.uniform(0.3, 0.9))
    ink = pen_strokes(
        digit, high, rng, None if rng.random() < 0.5 else high * rng.uniform(0.04, 0.16)
    )
    page = cv2.GaussianBlur(on_page(ink, side, side, rng), (0, 0), 0.6)
    return as_picture(blend(page, *((0, 0, 0), (255, 255, 255))[:: rng.choice([1, -1])]))


def transparent(digit, rng):
    """Ink of one colour, dark or bright, on nothing."""
    side = int(rng.integers(80, 500))
    page = on_page(pen_strokes(digit, int(side * rng.uniform(0.4, 0.9)), rng), side, side, rng)
    pixels = np.zeros((side, side, 4), np.float32)
    pixels[..., :3] = rng.choice([0, 255]) if rng.random() < 0.6 else rng.uniform(0, 255, 3)
    pixels[..., 3] = page * 255
    return as_picture(pixels)


def scan(digit, rng):
    """A scanner: white paper, some dust, little noise, often the letters' edges of a copy."""
    page, height, width = _sheet(digit, rng, share=(0.15, 0.8))
    for _ in range(rng.integers(0, 12)):
        y, x = rng.integers(0, height), rng.integers(0, width)
        cv2.circle(page, (int(x), int(y)), int(rng.integers(0, max(2, height // 250))), 0.7, -1)
    pixels = blend(page, rng.uniform(235, 255), rng.uniform(10, 90))
    return as_jpeg(camera(pixels, rng, noise=rng.uniform(0, 3)), rng)


def blackboard(digit, rng):
    """Chalk, with gaps, on a smeared dark board."""
    page, height, width = _sheet(digit, rng, pen=(0.04, 0.12))
    gaps = cv2.GaussianBlur(rng.random((height, width)).astype(np.float32), (0, 0), 1)
    page = page * np.clip((gaps - 0.38) * 8, 0.2, 1)
    board = rng.uniform([20, 35, 30], [70, 90, 80])
    smear = cv2.resize(rng.uniform(0, 25, (6, 6)).astype(np.float32), (width, height))[..., None]
    chalk = rng.uniform(190, 245, 3) * rng.uniform([0.9, 0.9, 0.6], [1, 1, 1])
    return as_jpeg(
        camera(blend(page, board + smear, chalk) * light(height, width, rng, 0.4), rng), rng
    )


def faint_pencil(digit, rng):
    page, height, width = _sheet(digit, rng, pen=(0.02, 0.07))
    paper = paper_colour(rng)
    grain = cv2.GaussianBlur(rng.random((height, width)).astype(np.float32), (0, 0), 0.8)
    page = page * np.clip(grain * 1.4, 0.3, 1)
    pixels = blend(page, paper, paper - rng.uniform(35, 90)) * light(height, width, rng, 0.25)
    return as_jpeg(camera(pixels, rng, noise=rng.uniform(0.5, 2.5)), rng)


def thin_stroke(digit, rng):
    """One or two pixels of pen in a large picture."""
    height, width = rng.integers(350, 1200, 2)
    side = int(min(height, width) * rng.uniform(0.3, 0.9))
    page = on_page(pen_strokes(digit, side, rng, rng.integers(1, 4)), height, width, rng)
    if rng.random() < 0.3:
        page = cv2.GaussianBlur(page, (0, 0), 0.7)
    pair = (np.full(3, rng.uniform(0, 110)), np.full(3, rng.uniform(225, 255)))
    return as_picture(blend(page, *pair[:: rng.choice([1, -1])]))


def coloured(digit, rng):
    """A coloured pen on coloured paper: far apart in at least one channel, whatever in grey."""
    page, height, width = _sheet(digit, rng, pen=(0.05, 0.15))
    paper, pen = rng.uniform(30, 255, (2, 3))
    while np.abs(paper - pen).max() < 100:
        paper, pen = rng.uniform(30, 255, (2, 3))
    pixels = blend(page, paper, pen) * light(height, width, rng, 0.25)
    return as_jpeg(camera(pixels, rng, noise=rng.uniform(0, 3)), rng)


def table_edge(digit, rng):
    """A sheet that ends within the frame, on a darker (sometimes brighter) table."""
    page, height, width = _sheet(digit, rng, share=(0.25, 0.5))
    page = cv2.copyMakeBorder(
        page, *[round(0.12 * height)] * 2, *[round(0.12 * width)] * 2, cv2.BORDER_CONSTANT
    )
    height, width = page.shape
    pixels = blend(page, paper_colour(rng), ink_colour(rng))
    table = np.zeros((height, width), np.float32)
    deep = rng.uniform(0.02, 0.1) * min(height, width)
    slant = rng.uniform(-0.06, 0.06)
    sides = rng.permutation(4)[: rng.integers(1, 4)]
    for side in sides:
        long = max(height, width)
        strip = np.array(
            [[-9, -9], [long, -9], [long, deep + slant * long / 2], [-9, deep - slant * long / 2]]
        )
        turned = {
            0: strip,
            1: strip[:, ::-1],
            2: (width, height) - strip,
            3: (width, height) - strip[:, ::-1],
        }
        cv2.fillPoly(table, [turned[int(side)].astype(np.int32)], 1)
    wood = (
        rng.uniform([60, 40, 25], [130, 95, 70]) if rng.random() < 0.8 else rng.uniform(10, 40, 3)
    )
    texture = cv2.GaussianBlur(rng.normal(0, 40, (height, width, 1)).astype(np.float32), (0, 0), 3)
    pixels = blend(table, pixels, wood + texture[..., None] * 3) * light(height, width, rng, 0.3)
    return as_jpeg(camera(pixels, rng), rng)


def tiny_in_corner(digit, rng):
    height, width = rng.integers(500, 1100, 2)
    side = int(rng.uniform(28, 90))
    ink = pen_strokes(digit, side, rng, rng.uniform(2, 5) if rng.random() < 0.5 else None)
    spots = np.array([[0.02, 0.02], [0.02, 0.95], [0.95, 0.02], [0.95, 0.95]])
    top, left = (spots[rng.integers(4)] * (height - side, width - side)).astype(int)
    pixels = blend(on_page(ink, height, width, rng, (top, left)), 255, rng.uniform(0, 90))
    return as_jpeg(camera(pixels, rng), rng) if rng.random() < 0.5 else as_picture(pixels)


def crop_on_white(digit, rng):
    """A grey crop of a photo, pasted on a white page."""
    crop = np.asarray(photo(digit, rng), np.float32)
    height, width = crop.shape[:2]
    if rng.random() < 0.5:
        crop = crop.mean(axis=2, keepdims=True).repeat(3, axis=2)
    top, bottom, left, right = (
        int(m) for m in rng.uniform(0.02, 0.5, 4) * (height, height, width, width)
    )
    return as_picture(
        cv2.copyMakeBorder(crop, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(255,) * 3)
    )


def screenshot(digit, rng):
    """A web page: a framed or dark canvas, buttons and a line of text."""
    inner = np.asarray(canvas(digit, rng), np.float32)
    side = inner.shape[0]
    inner = cv2.copyMakeBorder(inner, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(120,) * 3)
    page = np.full(
        (int(side * rng.uniform(1.2, 1.6)), int(side * rng.uniform(1.1, 2)), 3),
        rng.uniform(240, 255),
        np.float32,
    )
    left = int(rng.integers(4, page.shape[1] - side - 3))
    top = int(rng.integers(4, side // 8))
    page[top : top + side + 2, left : left + side + 2] = inner
    below = top + side + side // 12
    page = page.astype(np.uint8)
    cv2.putText(
        page,
        "Clear   Predict",
        (left + 4, below + side // 20),
        cv2.FONT_HERSHEY_SIMPLEX,
        side / 500,
        (60,) * 3,
        1,
        cv2.LINE_AA,
    )
    return as_picture(page)


def screen_glare(digit, rng):
    """A photographed screen: stripes and a soft bright spot."""
    page, height, width = _sheet(digit, rng, pen=(0.05, 0.15))
    pair = (np.full(3, 235.0), np.full(3, 30.0))[:: rng.choice([1, -1])]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    spot = np.exp(
        -((x - rng.uniform(0, width)) ** 2 + (y - rng.uniform(0, height)) ** 2)
        / (rng.uniform(0.1, 0.3) * max(height, width)) ** 2
    )
    stripes = 1 + 0.04 * np.sin(y * rng.uniform(0.5, 2))
    pixels = blend(page, *pair) * stripes[..., None] * 0.85 + 70 * spot[..., None]
    return as_jpeg(camera(pixels * light(height, width, rng, 0.3), rng), rng)


def cut_by_frame(digit, rng):
    """A digit that reaches over one edge of the picture by a twenty-fifth of its size."""
    side = int(rng.integers(60, 300))
    ink = pen_strokes(
        digit, side, rng, None if rng.random() < 0.6 else side * rng.uniform(0.05, 0.12)
    )
    margins = rng.uniform(0.1, 0.6, 4) * side
    margins[rng.integers(4)] = 0
    page = cv2.copyMakeBorder(ink, *margins.astype(int).tolist(), cv2.BORDER_CONSTANT)
    cut = [round(0.04 * side) * (margin == 0) for margin in margins]
    page = page[cut[0] : page.shape[0] - cut[1], cut[2] : page.shape[1] - cut[3]]
    if rng.random() < 0.5:
        return as_picture(blend(page, *((0,) * 3, (255,) * 3)[:: rng.choice([1, -1])]))
    pixels = blend(page, paper_colour(rng), ink_colour(rng)) * light(*page.shape, rng, 0.2)
    return as_jpeg(camera(pixels, rng), rng)


def tight(digit, rng):
    """A crop close around the digit."""
    side = int(rng.integers(40, 400))
    ink = pen_strokes(
        digit, side, rng, None if rng.random() < 0.6 else side * rng.uniform(0.05, 0.2)
    )
    margin = int(rng.integers(1, max(2, side // 20)))
    page = cv2.copyMakeBorder(ink, *[margin] * 4, cv2.BORDER_CONSTANT)
    pixels = blend(page, *(paper_colour(rng), ink_colour(rng))[:: rng.choice([1, 1, 1, -1])])
    return as_jpeg(camera(pixels, rng), rng) if rng.random() < 0.5 else as_picture(pixels)


def small(digit, rng):
    """MNIST's own size, through JPEG or inversion, as datasets of single files hold it."""
    pixels = digit.astype(np.float32)
    if rng.random() < 0.5:
        pixels = 255 - pixels
    pixels = np.repeat(pixels[..., None], 3, axis=2)
    return as_jpeg(pixels, rng) if rng.random() < 0.7 else as_picture(pixels)


def notebook(digit, rng):
    """A pen between the lines of a notebook, with a red margin line, by a phone's camera."""
    page, height, width = _sheet(digit, rng, share=(0.12, 0.5), pen=(0.05, 0.11))
    paper = np.broadcast_to(paper_colour(rng).astype(np.float32), (height, width, 3))
    blue = paper[0, 0] * rng.uniform([0.6, 0.7, 0.8], [0.85, 0.9, 0.98])
    paper = blend(_lines(height, width, rng, rng.random() < 0.3), paper, blue)
    margin = np.zeros((height, width), np.float32)
    x = rng.uniform(0.05, 0.95) * width
    slant = rng.uniform(-0.03, 0.03) * height
    thick = max(1, round(0.003 * max(height, width)))
    cv2.line(margin, (int(x - slant), 0), (int(x + slant), height), 1, thick)
    paper = blend(margin, paper, paper[0, 0] * rng.uniform([0.85, 0.4, 0.4], [0.95, 0.7, 0.7]))
    pixels = blend(page, paper, ink_colour(rng)) * light(height, width, rng, 0.5)
    return as_jpeg(camera(pixels, rng), rng)


def whiteboard(digit, rng):
    """A marker on a shiny board: smears of what was wiped off, and a lamp's reflection."""
    page, height, width = _sheet(digit, rng, share=(0.2, 0.7), pen=(0.05, 0.13))
    smear = cv2.GaussianBlur(rng.normal(0, 25, (height, width)).astype(np.float32), (0, 0), 9)
    markers = [(25, 25, 30), (20, 50, 160), (190, 30, 35), (10, 120, 60)]
    pixels = blend(page, rng.uniform(170, 225, 3).mean(), markers[rng.integers(len(markers))])
    pixels = pixels * light(height, width, rng, 0.4) + smear[..., None] * 2
    pixels += rng.uniform(30, 70) * _spot(height, width, rng, (0.05, 0.2))[..., None]
    return as_jpeg(camera(np.minimum(pixels, 255), rng), rng)


def kraft(digit, rng):
    """A dark or white pen on brown paper with fibres."""
    page, height, width = _sheet(digit, rng, pen=(0.04, 0.14))
    fibres = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(20, 120)):
        x, y = rng.uniform(0, (width, height))
        dx, dy = rng.normal(0, 0.02 * max(height, width), 2)
        cv2.line(fibres, (int(x), int(y)), (int(x + dx), int(y + dy)), rng.uniform(-1, 1), 1)
    paper = rng.uniform([150, 110, 70], [200, 160, 115]) + 14 * fibres[..., None]
    pen = rng.uniform(10, 50, 3) if rng.random() < 0.7 else rng.uniform(235, 255, 3)
    pixels = blend(page, paper, pen) * light(height, width, rng, 0.35)
    return as_jpeg(camera(pixels, rng), rng)


def thick_marker(digit, rng):
    """A fat pen, the digit small and anywhere, also in a corner."""
    page, height, width = _sheet(digit, rng, share=(0.12, 0.35), pen=(0.14, 0.24))
    pixels = blend(page, paper_colour(rng), ink_colour(rng)) * light(height, width, rng, 0.3)
    return as_jpeg(camera(pixels, rng), rng) if rng.random() < 0.6 else as_picture(pixels)


def paint_app(digit, rng):
    """A screenshot of a drawing program: title bar, buttons, palette, scroll bar."""
    drawing = np.asarray(paint(digit, rng), np.float32)
    room = max(0, 420 - drawing.shape[1])
    paper = np.median(drawing, axis=(0, 1)).tolist()
    drawing = cv2.copyMakeBorder(drawing, 0, 0, 0, room, cv2.BORDER_CONSTANT, value=paper)
    height, width = drawing.shape[:2]
    bar, tools = int(rng.integers(40, 110)), int(rng.choice([0, 50]))
    gray = rng.uniform(225, 250) if rng.random() < 0.7 else rng.uniform(30, 60)
    page = np.full((height + bar + 24, width + tools + 16, 3), gray, np.float32)
    page[bar : bar + height, tools : tools + width] = drawing
    page[:22] = rng.uniform(0, 255, 3)
    for number in range(rng.integers(4, 14)):
        left = 8 + number * 26
        page[26:36, left : left + 14] = rng.uniform(0, 255, 3)
        page[26:27, left : left + 14] = page[35:36, left : left + 14] = 90
        if tools:
            page[bar + left : bar + left + 14, 12:34] = rng.uniform(0, 255, 3)
    page[bar : bar + height // 3, -12:-4] = 160
    font = cv2.FONT_HERSHEY_SIMPLEX
    page = page.astype(np.uint8)
    cv2.putText(page, "Untitled - Paint", (8, 15), font, 0.4, (0,) * 3, 1, cv2.LINE_AA)
    return as_picture(page)


def screen_photo(digit, rng):
    """A photographed screen: moire, its dark rim on one or two sides, a window's reflection."""
    page, height, width = _sheet(digit, rng, share=(0.25, 0.6), pen=(0.04, 0.14))
    pixels = blend(page, *((225.0,) * 3, (35.0,) * 3)[:: rng.choice([1, -1])])
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(2):
        angle, wave = rng.uniform(0, np.pi), rng.uniform(0.15, 1.5)
        phase = (x * np.cos(angle) + y * np.sin(angle)) * wave
        pixels *= 1 + rng.uniform(0.01, 0.04, 3) * np.sin(phase)[..., None]
    pixels += rng.uniform(20, 60) * _spot(height, width, rng, (0.1, 0.35))[..., None]
    rim = [
        int(rng.uniform(0.03, 0.1) * min(height, width)) * int(rng.random() < 0.4) for _ in "1234"
    ]
    pixels = cv2.copyMakeBorder(pixels, *rim, cv2.BORDER_CONSTANT, value=(rng.uniform(10, 35),) * 3)
    return as_jpeg(camera(pixels * light(*pixels.shape[:2], rng, 0.3), rng), rng)


def _spot(height, width, rng, size):
    """A soft bright spot anywhere, its radius a share of the long side: float32 (h, w), 0 to 1."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    away = (x - rng.uniform(0, width)) ** 2 + (y - rng.uniform(0, height)) ** 2
    return np.exp(-away / (rng.uniform(*size) * max(height, width)) ** 2)


def finger(digit, rng):
    """A photo with a finger (or its shadow as well) that reaches in from one side."""
    page, height, width = _sheet(digit, rng, share=(0.2, 0.45), pen=(0.04, 0.13))
    page = cv2.copyMakeBorder(page, 0, height // 4, 0, 0, cv2.BORDER_CONSTANT)
    height = page.shape[0]
    pixels = blend(page, paper_colour(rng), ink_colour(rng))
    tip = np.array([rng.uniform(0.1, 0.9) * width, rng.uniform(0.86, 0.95) * height])
    foot = np.array([tip[0] + rng.uniform(-0.2, 0.2) * width, 1.3 * height])
    thick = int(rng.uniform(0.08, 0.16) * width)
    masks = []
    for shift in (0, rng.uniform(-0.04, 0.04) * width):
        mask = np.zeros((height, width), np.float32)
        ends = [
            tuple((end + (shift, 0)).astype(int).tolist()) for end in (tip + (0, thick / 2), foot)
        ]
        masks.append(cv2.GaussianBlur(cv2.line(mask, *ends, 1, thick), (0, 0), 1 + abs(shift) / 4))
    skin = rng.uniform([150, 100, 75], [235, 190, 165])
    pixels = blend(masks[0], pixels * (1 - 0.4 * masks[1][..., None]), skin)
    return as_jpeg(camera(pixels * light(height, width, rng, 0.3), rng), rng)


def sticky_note(digit, rng):
    """A coloured note on a dark or wooden table, somewhat turned."""
    side = int(rng.choice([200, 300, 480]))
    high = int(rng.uniform(0.35, 0.75) * side)
    ink = pen_strokes(digit, high, rng, high * rng.uniform(0.03, 0.13))
    place = ((side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2)
    notes = [(250, 235, 110), (255, 160, 170), (160, 225, 150), (150, 205, 240), (250, 250, 245)]
    note = blend(on_page(ink, side, side, rng, place), notes[rng.integers(5)], ink_colour(rng))
    height, width = (np.array([1, 1]) * side * rng.uniform(1.15, 2, 2)).astype(int)
    table = rng.uniform([30, 25, 20], [110, 85, 65]) * rng.uniform(0.4, 1)
    grain = rng.normal(0, 30, (height, width)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), sigmaX=12, sigmaY=1.5)[..., None]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-12, 12), 1)
    turn[:, 2] += rng.uniform(0.3, 0.7, 2) * (width - side, height - side)
    over = cv2.warpAffine(note, turn, (int(width), int(height)))
    share = cv2.warpAffine(np.ones((side, side), np.float32), turn, (int(width), int(height)))
    pixels = blend(share, table + 4 * grain, over / np.maximum(share, 0.01)[..., None])
    return as_jpeg(camera(pixels * light(height, width, rng, 0.3), rng), rng)


def broken(digit, rng):
    """A pen that skips: one or two thin cuts through the strokes."""
    page, height, width = _sheet(digit, rng, share=(0.3, 0.8), pen=(0.04, 0.12))
    top, left, bottom, right = (
        f(axis) for f in (np.min, np.max) for axis in np.nonzero(page > 0.5)
    )
    gap = max(2, round(0.035 * max(bottom - top, right - left)))
    for _ in range(rng.integers(1, 3)):
        y = int(rng.uniform(0.15, 0.85) * (bottom - top) + top)
        slant = int(rng.uniform(-0.3, 0.3) * (right - left))
        cv2.line(page, (int(left), y - slant), (int(right), y + slant), 0, gap)
    pixels = blend(page, paper_colour(rng), ink_colour(rng)) * light(height, width, rng, 0.3)
    return as_jpeg(camera(pixels, rng), rng)


def form_box(digit, rng):
    """A scanned or photographed form: the digit stands in a printed box."""
    high = int(rng.integers(50, 320))
    ink = pen_strokes(digit, high, rng, high * rng.uniform(0.04, 0.13))
    room = [int(one) for one in rng.uniform(0.12, 0.5, 4) * high]
    page = cv2.copyMakeBorder(ink, *room, cv2.BORDER_CONSTANT)
    thick = max(1, round(high * rng.uniform(0.005, 0.03)))
    page = cv2.copyMakeBorder(page, *[thick] * 4, cv2.BORDER_CONSTANT, value=rng.uniform(0.5, 1))
    outside = [int(one) for one in rng.uniform(0.1, 0.6, 4) * high]
    page = cv2.copyMakeBorder(page, *outside, cv2.BORDER_CONSTANT)
    pixels = blend(page, paper_colour(rng), ink_colour(rng)) * light(*page.shape, rng, 0.3)
    return as_jpeg(camera(pixels, rng), rng)


def neighbours(digit, rng):
    """A crop from a line of digits: slices of the ones left and right of it lie at the frame."""
    high = int(rng.integers(60, 400))
    pen = high * rng.uniform(0.04, 0.12)
    ink = pen_strokes(digit, high, rng, pen)
    page = cv2.copyMakeBorder(ink, *[int(0.3 * high)] * 4, cv2.BORDER_CONSTANT)
    for side in (slice(None), slice(None, None, -1))[: rng.integers(1, 3)]:
        other = pen_strokes(digit[::-1] if rng.random() < 0.5 else digit[:, ::-1], high, rng, pen)
        cut = other[: page.shape[0], : max(2, int(rng.uniform(0.03, 0.12) * high))]
        top = int(rng.integers(0, page.shape[0] - cut.shape[0] + 1))
        page[:, side][top : top + cut.shape[0], : cut.shape[1]] = cut[:, ::-1]
    pixels = blend(page, paper_colour(rng), ink_colour(rng)) * light(*page.shape, rng, 0.3)
    return as_jpeg(camera(pixels, rng), rng) if rng.random() < 0.7 else as_picture(pixels)


def whole_page(digit, rng):
    """A sheet photographed whole from some angle, on a table; the digit is small on it."""
    height, width = 900, 640
    high = int(rng.uniform(0.08, 0.3) * height)
    ink = pen_strokes(digit, high, rng, high * rng.uniform(0.04, 0.12))
    place = (int(rng.uniform(0.1, 0.5) * height), int(rng.uniform(0.1, 0.6) * width))
    return on_table(on_page(ink, height, width, rng, place), rng)


def on_table(page, rng):
    """The page as a sheet photographed whole from some angle, on a wooden table."""
    height, width = page.shape
    sheet = blend(page, paper_colour(rng), ink_colour(rng))
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    seen = corners + rng.uniform(-0.08, 0.08, (4, 2)) * (width, height) + 90
    view = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    size = (width + 180, height + 180)
    over = cv2.warpPerspective(sheet, view, size)
    share = cv2.warpPerspective(np.ones((height, width), np.float32), view, size)
    grain = cv2.GaussianBlur(rng.normal(0, 40, size[::-1]).astype(np.float32), (0, 0), 2, sigmaY=20)
    table = rng.uniform([40, 30, 20], [140, 105, 80]) + 3 * grain[..., None]
    pixels = blend(share, table, over / np.maximum(share, 0.01)[..., None])
    return as_jpeg(camera(pixels * light(*size[::-1], rng, 0.4), rng), rng)


def close_crop(digit, rng):
    """A crop along the digit's own ink: its holes are as much of the picture as its paper."""
    side = int(rng.integers(28, 400))
    ink = pen_strokes(digit, side, rng, side * rng.uniform(0.08, 0.2))
    (top, bottom), (left, right) = (
        np.flatnonzero((ink > 0.5).any(axis))[[0, -1]] for axis in (1, 0)
    )
    margin = [int(rng.integers(0, 3))] * 4
    cut = cv2.copyMakeBorder(ink[top:bottom, left:right], *margin, cv2.BORDER_CONSTANT)
    pixels = blend(cut, *(paper_colour(rng), ink_colour(rng))[:: rng.choice([1, -1])])
    return as_jpeg(camera(pixels, rng), rng)


def turned(digit, rng):
    """A photo or scan turned in an editor."""
    return turned_in_editor((photo, scan)[rng.integers(2)](digit, rng), rng)


def turned_in_editor(picture, rng):
    """The picture turned by 1 to 15 degrees either way, its corners filled with one colour."""
    black_white_or_any = (0,) * 3, (255,) * 3, tuple(rng.integers(0, 256, 3).tolist())
    return picture.convert("RGB").rotate(
        rng.choice([-1, 1]) * rng.uniform(1, 15),
        Image.Resampling.BICUBIC,
        expand=True,
        fillcolor=black_white_or_any[rng.integers(3)],
    )


KINDS = {
    kind.__name__: kind
    for kind in (
        photo, hard_shadow, ruled, squared, paint, canvas, transparent, scan, blackboard,
        faint_pencil,
        thin_stroke, coloured, table_edge, tiny_in_corner, crop_on_white, screenshot, screen_glare,
        cut_by_frame, tight, small, notebook, whiteboard, kraft, thick_marker, paint_app,
        screen_photo, finger, sticky_note, broken, form_box, neighbours, whole_page, close_crop,
        turned,
    )
}  # fmt: skip
