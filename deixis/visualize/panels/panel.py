"""One signal of any modality as an image with its regions.

Images as they are, audio as spectrograms, clouds as scatter plots, videos as strips, depth and normals as colours,
IMU recordings as curves, fMRI as slices. Regions are those of `deixis.geometry`, in the units of their file, and are
taken as checked; which question or answer they come from is not known here.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from deixis.errors import InputError
from deixis.signals import MODALITIES
from deixis.signals.modality import load
from deixis.signals.normal import normal_colours
from deixis.signals.signal import Signal
from deixis.visualize.canvas import CHIP_TEXT_PX, GREY, WHITE, text_font
from deixis.visualize.panels.fmri_panel import fmri_panel, numbers_panel
from deixis.visualize.panels.image_panel import image_panel
from deixis.visualize.panels.overlay import OVERSAMPLE, PEN, Drawn, axis_px, with_tags
from deixis.visualize.panels.point_cloud_panel import cloud_panel
from deixis.visualize.panels.time_panels import audio_panel, heat, imu_panel, spectrogram
from deixis.visualize.panels.video_panel import video_panel

__all__ = ["Drawn", "panel", "spectrogram"]

CLOUD_HEIGHT = 208 / 256
"""Of the drawing, in its widths, where the caller does not say."""
NEAREST, FARTHEST = 1, 99
"""Percentiles of a depth map's readings that its brightest and darkest colours stand for."""
NO_READING = (58, 61, 72)


def panel(
    modality: str,
    values: np.ndarray,
    drawn: Sequence[Drawn],
    width_px: int,
    height_px: int | None = None,
    chip_px: int = CHIP_TEXT_PX,
    signal: Signal | None = None,
) -> Image.Image:
    """An RGB image of a signal's values (as `Signal.values` has them) with regions on it and labels of `chip_px`.

    Images, maps, videos and fMRI keep their aspect ratio, whatever the height. `signal`: whose values
    they are, needed for the times of videos and IMU recordings and the positions of voxels.

    Raises:
        InputError: no panel draws this modality.
    """
    known = [name for name, own in MODALITIES.items() if signal is not None or not own.panel_needs_signal]
    if modality not in known:
        raise InputError(f"modality: expected one of {', '.join(known)} to draw, got {modality!r}")
    return load(MODALITIES[modality].panel)(np.asarray(values), drawn, width_px, height_px, chip_px, signal)


def draw_image(values, drawn, width_px, height_px, chip_px, signal) -> Image.Image:
    del height_px, signal
    return image_panel(values, drawn, width_px, chip_px)


def draw_audio(values, drawn, width_px, height_px, chip_px, signal) -> Image.Image:
    del signal
    return audio_panel(values, drawn, width_px, height_px, chip_px)


def draw_point_cloud(values, drawn, width_px, height_px, chip_px, signal) -> Image.Image:
    del signal
    size = (width_px * OVERSAMPLE, (height_px or round(width_px * CLOUD_HEIGHT)) * OVERSAMPLE)
    image, places = cloud_panel(values, [(item.region, item.colour) for item in drawn], size, PEN * chip_px)
    marks = [(item, *place) for item, place in zip(drawn, places, strict=True) if place is not None]
    return with_tags(image, marks, chip_px)


def draw_video(values, drawn, width_px, height_px, chip_px, signal) -> Image.Image:
    del height_px
    return video_panel(values, signal.info["times_s"], signal.extent.duration_s, drawn, width_px, chip_px)


def draw_depth(values, drawn, width_px, height_px, chip_px, signal) -> Image.Image:
    """Near is bright; grey has no reading. Under it, what the colours stand for."""
    del height_px, signal
    inverse = 1 / np.where(values > 0, values, 1)
    far, near = np.percentile(inverse[values > 0], (100 - FARTHEST, 100 - NEAREST))
    rgb = heat((inverse - far) / max(float(near - far), 1e-9))
    rgb[values <= 0] = NO_READING
    image = image_panel(rgb, drawn, width_px, chip_px)
    scale = Image.new("RGB", (image.width, image.height + axis_px(chip_px)), WHITE)
    scale.paste(image)
    draw, font, top = ImageDraw.Draw(scale), text_font(chip_px), image.height + 4
    draw.text((1, top), f"{1 / near:.3g} m", font=font, fill=GREY, anchor="lt")
    draw.text((image.width - 2, top), f"{1 / far:.3g} m", font=font, fill=GREY, anchor="rt")
    room = image.width // 2
    bar = heat(np.linspace(1, 0, room))[None].repeat(max(chip_px - 4, 2), 0)
    scale.paste(Image.fromarray(bar), (image.width // 4, top + 1))
    return scale


def draw_normals(values, drawn, width_px, height_px, chip_px, signal) -> Image.Image:
    del height_px, signal
    return image_panel(normal_colours(values), drawn, width_px, chip_px)


def draw_imu(values, drawn, width_px, height_px, chip_px, signal) -> Image.Image:
    times_s, duration_s = signal.info["times_s"], signal.extent.duration_s
    return imu_panel(values, times_s, duration_s, drawn, width_px, height_px, chip_px)


def draw_fmri(values, drawn, width_px, height_px, chip_px, signal) -> Image.Image:
    del height_px
    if signal is None or signal.extent.points_xyz is None:
        return numbers_panel(values, width_px, chip_px)
    return fmri_panel(values, signal.info["cells"], signal.extent.points_xyz, drawn, width_px, chip_px)
