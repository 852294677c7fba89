"""Draws the sample pictures on the card of a captioner.

    python tools/draw_examples.py FOLDER

Photographs have owners, drawings made here have none. A captioner that was trained on photographs
finds them hard, which the card may show.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (320, 240)
SCALE = 4  # drawn larger, then made smaller, so that edges are smooth


class Scene:
    """A picture in the coordinates of `SIZE`."""

    def __init__(self, above, below, horizon, seed):
        width, height = SIZE[0] * SCALE, SIZE[1] * SCALE
        rows = np.linspace(0, 1, height)[:, None, None]
        ground = rows > horizon
        depth = np.where(ground, (rows - horizon) / (1 - horizon), rows / horizon)
        colours = np.where(
            ground,
            np.array(below[0]) * (1 - depth) + np.array(below[1]) * depth,
            np.array(above[0]) * (1 - depth) + np.array(above[1]) * depth,
        )
        # Grain that grows towards the viewer, as in grass, sand and waves.
        rng = np.random.default_rng(seed)
        grain = rng.normal(0, 1, (height // 6, width // 12))
        grain = np.asarray(Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC))
        pixels = colours + grain[..., None] * np.where(ground, 4 + 14 * depth, 1.5)
        self.image = Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))
        self.draw = ImageDraw.Draw(self.image)

    def ellipse(self, x, y, radius_x, radius_y, colour):
        box = (x - radius_x, y - radius_y, x + radius_x, y + radius_y)
        self.draw.ellipse([SCALE * value for value in box], fill=colour)

    def polygon(self, points, colour):
        self.draw.polygon([(SCALE * x, SCALE * y) for x, y in points], fill=colour)

    def limb(self, points, width, colour):
        scaled = [(SCALE * x, SCALE * y) for x, y in points]
        self.draw.line(scaled, fill=colour, width=SCALE * width, joint="curve")
        for x, y in points:
            self.ellipse(x, y, width / 2, width / 2, colour)

    def dog(self, x, y, size, colour, dark):
        """Running to the right, its chest at (x, y)."""

        def at(*points):
            return [(x + size * a, y + size * b) for a, b in points]

        for points in (
            ((-0.8, 0.1), (-1.05, 0.5), (-1.25, 0.75)),
            ((-0.7, 0.15), (-0.6, 0.55), (-0.8, 0.8)),
            ((0.05, 0.2), (0.35, 0.5), (0.6, 0.65)),
            ((0.0, 0.2), (0.1, 0.6), (0.3, 0.8)),
        ):
            self.limb(at(*points), max(int(size * 0.16), 2), dark)
        self.limb(at((-0.85, -0.1), (-1.2, -0.35), (-1.35, -0.6)), max(int(size * 0.1), 2), colour)
        self.ellipse(x - size * 0.42, y, size * 0.55, size * 0.28, colour)
        self.limb(at((0.0, -0.05), (0.3, -0.35)), max(int(size * 0.3), 3), colour)
        self.ellipse(x + size * 0.38, y - size * 0.42, size * 0.24, size * 0.19, colour)
        self.ellipse(x + size * 0.6, y - size * 0.36, size * 0.16, size * 0.1, colour)
        self.ellipse(x + size * 0.73, y - size * 0.39, size * 0.05, size * 0.04, (20, 20, 20))
        self.polygon(at((0.22, -0.55), (0.3, -0.25), (0.1, -0.22)), dark)
        self.ellipse(x + size * 0.45, y - size * 0.46, size * 0.035, size * 0.035, (15, 15, 15))

    def person(self, x, y, size, shirt, trousers, skin=(214, 165, 130), arms=0.3):
        """Standing with the feet at (x, y)."""

        def at(*points):
            return [(x + size * a, y + size * b) for a, b in points]

        for side in (-1, 1):
            leg = at((0.05 * side, -0.45), (0.1 * side, -0.22), (0.12 * side, 0))
            self.limb(leg, max(int(size * 0.09), 2), trousers)
            arm = at((0.12 * side, -0.78), (0.26 * side, -0.78 + arms), (0.36 * side, -0.6 + arms))
            self.limb(arm, max(int(size * 0.07), 2), shirt)
            self.ellipse(*arm[-1], size * 0.04, size * 0.04, skin)
        self.polygon(at((-0.15, -0.82), (0.15, -0.82), (0.12, -0.42), (-0.12, -0.42)), shirt)
        self.ellipse(x, y - size * 0.92, size * 0.09, size * 0.11, skin)
        self.ellipse(x, y - size * 0.98, size * 0.095, size * 0.07, (60, 40, 25))

    def finished(self):
        small = self.image.resize(SIZE, Image.Resampling.LANCZOS)
        return small.filter(ImageFilter.GaussianBlur(0.4))


def dog_on_grass():
    scene = Scene(((150, 190, 225), (205, 222, 230)), ((96, 140, 60), (70, 120, 38)), 0.35, seed=1)
    for x in range(0, 330, 14):
        scene.ellipse(x, 82 - 6 * ((x // 14) % 3), 16, 14, (52, 88, 42))
    scene.dog(175, 150, 62, (150, 96, 48), (112, 70, 34))
    return scene.finished()


def two_dogs_in_snow():
    scene = Scene(((168, 188, 214), (222, 230, 240)), ((236, 240, 246), (214, 222, 234)), 0.3, 2)
    for x in range(6, 330, 30):
        scene.polygon([(x - 13, 78), (x, 22 + (x * 7) % 23), (x + 13, 78)], (46, 70, 58))
    scene.dog(120, 150, 46, (38, 36, 38), (24, 22, 24))
    scene.dog(250, 168, 52, (176, 122, 66), (134, 88, 44))
    return scene.finished()


def surfer():
    scene = Scene(((120, 175, 215), (190, 215, 230)), ((30, 105, 140), (18, 78, 112)), 0.28, 3)
    wave = [(0, 150), (60, 128), (130, 92), (200, 78), (250, 96), (272, 130), (258, 158), (0, 190)]
    scene.polygon(wave, (44, 134, 160))
    for i, (x, y) in enumerate(
        [(205, 82), (225, 86), (244, 96), (258, 112), (268, 130), (262, 150)]
    ):
        scene.ellipse(x, y, 17 + i, 10 + i, (238, 244, 246))
    for x in range(0, 270, 16):
        scene.ellipse(x, 176 + (x * 5) % 11, 15, 6, (226, 238, 242))
    scene.polygon([(88, 158), (176, 143), (184, 148), (100, 166)], (240, 232, 205))
    scene.person(134, 152, 60, (28, 30, 36), (24, 26, 32), arms=-0.02)
    return scene.finished()


def man_on_the_beach():
    scene = Scene(((110, 170, 224), (196, 220, 236)), ((226, 204, 160), (206, 180, 132)), 0.52, 4)
    scene.polygon([(0, 98), (320, 98), (320, 134), (0, 142)], (40, 112, 158))
    for x in range(0, 330, 20):
        scene.ellipse(x, 139 - x // 45, 18, 4, (240, 246, 248))
    scene.ellipse(262, 38, 18, 18, (255, 240, 190))
    scene.person(150, 214, 118, (196, 40, 44), (40, 62, 120))
    return scene.finished()


def ball_player():
    scene = Scene(((140, 160, 140), (96, 128, 92)), ((88, 146, 62), (64, 120, 44)), 0.4, 5)
    scene.polygon([(0, 168), (320, 158), (320, 162), (0, 173)], (232, 238, 228))
    scene.person(140, 206, 112, (34, 66, 170), (240, 240, 240), arms=0.16)
    scene.ellipse(206, 196, 13, 13, (244, 244, 244))
    for x, y in ((206, 196), (199, 189), (213, 190), (201, 204), (212, 203)):
        scene.ellipse(x, y, 3.2, 3.2, (30, 30, 30))
    return scene.finished()


SCENES = (dog_on_grass, two_dogs_in_snow, surfer, man_on_the_beach, ball_player)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for draw in SCENES:
        path = folder / f"{draw.__name__}.jpg"
        draw().save(path, quality=88)
        print(path)


if __name__ == "__main__":
    main()
