// Signals over time as pixels: waveform, spectrogram, curves, frames.
import type { TimeWindow } from "./window";

/** A part of the canvas, in CSS pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Colours {
  ink: string;
  muted: string;
  line: string;
  paper: string;
}

/** Of a scale from dark to bright: those of `deixis.visualize`. */
const HEAT = [
  [13, 14, 38],
  [52, 24, 96],
  [128, 38, 118],
  [206, 70, 96],
  [247, 136, 82],
  [253, 231, 170],
];

/** Red, green and blue of a level in [0, 1]. */
export function heat(level: number): [number, number, number] {
  const place = Math.min(1, Math.max(0, level)) * (HEAT.length - 1);
  const low = Math.min(HEAT.length - 2, Math.floor(place));
  return [0, 1, 2].map((channel) => {
    const [a, b] = [HEAT[low]![channel]!, HEAT[low + 1]![channel]!];
    return a + (b - a) * (place - low);
  }) as [number, number, number];
}

/** The lowest and highest sample of each column of pixels, around a middle line. */
export function paintWaveform(
  ctx: CanvasRenderingContext2D, box: Box, window: TimeWindow, durationS: number, peaks: ArrayLike<number>, colours: Colours,
): void {
  const count = peaks.length / 2;
  const middle = box.top + box.height / 2;
  let loudest = 1e-4;
  for (let at = 0; at < peaks.length; at += 1) loudest = Math.max(loudest, Math.abs(peaks[at]!));
  const reach = (box.height / 2 - 4) / loudest;
  ctx.fillStyle = colours.ink;
  for (let column = 0; column < box.width; column += 1) {
    const [from, to] = [column, column + 1].map(
      (own) => ((window.start + (own / box.width) * (window.end - window.start)) / durationS) * count,
    ) as [number, number];
    let [low, high] = [Infinity, -Infinity];
    for (let at = Math.max(0, Math.floor(from)); at <= Math.min(count - 1, Math.max(Math.floor(from), Math.ceil(to) - 1)); at += 1) {
      low = Math.min(low, peaks[2 * at]!);
      high = Math.max(high, peaks[2 * at + 1]!);
    }
    if (low > high) continue;
    ctx.fillRect(box.left + column, middle - high * reach, 1, Math.max(1, (high - low) * reach));
  }
  ctx.fillStyle = colours.line;
  ctx.fillRect(box.left, middle, box.width, 1);
}

/** A spectrogram, low tones first in `levels`, as an image with high tones above. */
export function spectrogramImage(levels: Uint8Array, [rows, columns]: [number, number]): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const ctx = canvas.getContext("2d")!;
  const pixels = ctx.createImageData(columns, rows);
  const table = Array.from({ length: 256 }, (_, level) => heat(level / 255));
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const colour = table[levels[(rows - 1 - row) * columns + column]!]!;
      pixels.data.set([colour[0], colour[1], colour[2], 255], 4 * (row * columns + column));
    }
  }
  ctx.putImageData(pixels, 0, 0);
  return canvas;
}

export function paintImage(ctx: CanvasRenderingContext2D, box: Box, window: TimeWindow, durationS: number, image: HTMLCanvasElement): void {
  const [from, to] = [window.start, window.end].map((own) => (own / durationS) * image.width) as [number, number];
  ctx.imageSmoothingEnabled = true;
  ctx.drawImage(image, from, 0, Math.max(0.01, to - from), image.height, box.left, box.top, box.width, box.height);
}

/** One curve in its own row, scaled to it. */
export function paintCurve(
  ctx: CanvasRenderingContext2D, box: Box, window: TimeWindow, times: ArrayLike<number>, value: (at: number) => number, colour: string, colours: Colours,
): void {
  let [low, high] = [Infinity, -Infinity];
  for (let at = 0; at < times.length; at += 1) {
    low = Math.min(low, value(at));
    high = Math.max(high, value(at));
  }
  const scale = (box.height - 8) / Math.max(high - low, 1e-9);
  const x = (timeS: number) => box.left + ((timeS - window.start) / (window.end - window.start)) * box.width;
  if (low < 0 && high > 0) {
    ctx.fillStyle = colours.line;
    ctx.fillRect(box.left, box.top + 4 + high * scale, box.width, 1);
  }
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.left, box.top, box.width, box.height);
  ctx.clip();
  ctx.beginPath();
  for (let at = 0; at < times.length; at += 1) {
    const y = box.top + 4 + (high - value(at)) * scale;
    if (at) ctx.lineTo(x(times[at]!), y);
    else ctx.moveTo(x(times[at]!), y);
  }
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.4;
  ctx.lineJoin = "round";
  ctx.stroke();
  ctx.restore();
}

/** Frames of a video side by side, each where its time is. */
export function paintFrames(
  ctx: CanvasRenderingContext2D, box: Box, window: TimeWindow, times: readonly number[], frames: readonly (ImageBitmap | null)[],
): void {
  const first = frames.find((own) => own);
  if (!first) return;
  const width = (first.width / first.height) * box.height;
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.left, box.top, box.width, box.height);
  ctx.clip();
  for (let left = 0; left < box.width; left += width) {
    const timeS = window.start + ((left + width / 2) / box.width) * (window.end - window.start);
    const frame = frames[frameAt(times, timeS)];
    if (frame) ctx.drawImage(frame, box.left + left, box.top, width, box.height);
  }
  ctx.restore();
}

/** The number of the frame that is shown at an instant: the last that has begun. */
export function frameAt(times: readonly number[], timeS: number): number {
  let number = 0;
  while (number + 1 < times.length && times[number + 1]! <= timeS + 1e-6) number += 1;
  return number;
}
