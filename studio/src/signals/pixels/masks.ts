// Masks over an image: a tint and an outline. Of a mask with more pixels than the screen, no more are drawn than are seen.
import type { Place } from "../../pointing/tools";
import { decoded } from "../../regions/edit";
import type { Rle } from "../../regions/region";
import { channels, HALO } from "./colour";
import type { Viewport } from "./viewport";

const TINT = 0.38; // how much of its colour covers a mask
const LIT = 0.6;

interface MaskDrawing {
  tint: HTMLCanvasElement;
  edges: Path2D;
}
const drawings = new WeakMap<Rle, Map<string, MaskDrawing>>();
const tops = new WeakMap<Rle, Place | null>();

export function drawMask(ctx: CanvasRenderingContext2D, view: Viewport, rle: Rle, colour: string, pen: number, lit: boolean): void {
  // so many pixels of the mask lie in one of the screen; powers of two, so that few drawings are made while zooming
  const step = 2 ** Math.max(0, Math.floor(Math.log2(1 / (view.scale * ctx.getTransform().a))));
  const { tint, edges } = maskDrawing(rle, colour, step);
  const scale = view.scale * step;
  const alpha = ctx.globalAlpha;
  ctx.globalAlpha = alpha * (lit ? LIT : TINT);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(tint, view.x, view.y, tint.width * scale, tint.height * scale);
  ctx.globalAlpha = alpha;
  const onScreen = new Path2D();
  onScreen.addPath(edges, new DOMMatrix([scale, 0, 0, scale, view.x, view.y]));
  ctx.lineCap = "square";
  ctx.strokeStyle = HALO;
  ctx.lineWidth = pen * 1.6;
  ctx.stroke(onScreen);
  ctx.strokeStyle = colour;
  ctx.lineWidth = pen * 0.8;
  ctx.stroke(onScreen);
}

/** The highest pixel of a mask, of those the leftmost; null of an empty one. */
export function maskTop(rle: Rle): Place | null {
  let top = tops.get(rle);
  if (top === undefined) {
    const mask = decoded(rle);
    const first = mask.data.indexOf(1);
    top = first < 0 ? null : [first % mask.width, Math.floor(first / mask.width)];
    tops.set(rle, top);
  }
  return top;
}

function maskDrawing(rle: Rle, colour: string, step: number): MaskDrawing {
  const own = drawings.get(rle) ?? new Map<string, MaskDrawing>();
  drawings.set(rle, own);
  const key = `${colour} ${step}`;
  const known = own.get(key);
  if (known) return known;
  const mask = decoded(rle).reduced(step);
  const tint = document.createElement("canvas");
  [tint.width, tint.height] = [mask.width, mask.height];
  const ctx = tint.getContext("2d")!;
  const pixels = ctx.createImageData(mask.width, mask.height);
  const [red, green, blue] = channels(colour);
  const words = new Uint32Array(pixels.data.buffer); // little end first, as on every machine that browsers run on
  const word = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  mask.data.forEach((value, at) => {
    if (value) words[at] = word;
  });
  ctx.putImageData(pixels, 0, 0);
  const edges = new Path2D();
  for (const [x1, y1, x2, y2] of mask.edges()) {
    edges.moveTo(x1!, y1!);
    edges.lineTo(x2!, y2!);
  }
  const drawing = { tint, edges };
  own.set(key, drawing);
  return drawing;
}
