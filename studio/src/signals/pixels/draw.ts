// Regions drawn over an image: on the screen, and into files at the image's own size.
import type { Place } from "../../pointing/tools";
import { boxCorners, outline } from "../../regions/edit";
import { formOf, type PlacedRegion, POINTED } from "../../regions/region";
import { Labels } from "../canvas";
import { HALO } from "./colour";
import { drawMask, maskTop } from "./masks";
import { toScreen, type Viewport } from "./viewport";

const FAINT = 0.25; // of regions beside one that is lit up

export interface Shown {
  region: PlacedRegion;
  label: string;
  lit: boolean;
  faint: boolean;
  selected: boolean;
  /** Of the next question: may be moved and resized. */
  editable: boolean;
}

/** Draws regions, the lit ones last; `pen` is the width of a line in pixels of the canvas. */
export function drawRegions(ctx: CanvasRenderingContext2D, view: Viewport, shown: Shown[], pen: number): void {
  const order = [...shown].sort((a, b) => Number(a.lit) - Number(b.lit) || rank(a) - rank(b));
  for (const item of order) {
    ctx.save();
    ctx.globalAlpha = item.faint ? FAINT : 1;
    drawShape(ctx, view, item, item.lit || item.selected ? pen * 1.6 : pen);
    ctx.restore();
  }
  const labels = new Labels(ctx, 6.5 * pen);
  const end = ctx.canvas.width / ctx.getTransform().a; // in the units that are drawn in
  for (const item of order) {
    const top = item.label && !item.faint ? topOf(item) : null;
    if (!top) continue;
    const [x, y] = toScreen(view, top);
    labels.draw(item.label, [x, y - labels.height - 2 * pen], item.region.colour, end);
  }
}

// tints lie under lines
const rank = (item: Shown) => (formOf(item.region.forms) === "mask" ? 0 : 1);

function drawShape(ctx: CanvasRenderingContext2D, view: Viewport, item: Shown, pen: number): void {
  const { forms, colour } = item.region;
  ctx.lineJoin = ctx.lineCap = "round";
  if (forms.mask) {
    drawMask(ctx, view, forms.mask, colour, pen, item.lit);
    return;
  }
  const places = outline(forms)?.map((place) => toScreen(view, place));
  if (!places?.length) return;
  if (forms.point) {
    drawSpot(ctx, places[0]!, colour, pen);
    return;
  }
  const path = new Path2D();
  places.forEach(([x, y], at) => (at ? path.lineTo(x, y) : path.moveTo(x, y)));
  if (places.length === 1) path.lineTo(places[0]![0] + 0.01, places[0]![1]);
  if (!forms.scribble_xy) path.closePath();
  const width = forms.scribble_xy ? pen * 1.6 : pen;
  if (!forms.scribble_xy && (item.lit || forms.polygon_xy)) {
    ctx.fillStyle = colour;
    const alpha = ctx.globalAlpha;
    ctx.globalAlpha = alpha * (item.lit ? 0.22 : 0.12);
    ctx.fill(path);
    ctx.globalAlpha = alpha;
  }
  ctx.strokeStyle = HALO;
  ctx.lineWidth = width + pen;
  ctx.stroke(path);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.stroke(path);
  if (item.selected && forms.box_xyxy) for (const corner of places) drawHandle(ctx, corner, pen);
}

export function drawSpot(ctx: CanvasRenderingContext2D, [x, y]: [number, number], colour: string, pen: number): void {
  const radius = 3.2 * pen;
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.strokeStyle = "#fff";
  ctx.lineWidth = pen;
  ctx.stroke();
  ctx.beginPath();
  ctx.arc(x, y, radius + pen, 0, 2 * Math.PI);
  ctx.strokeStyle = HALO;
  ctx.lineWidth = pen;
  ctx.stroke();
}

function drawHandle(ctx: CanvasRenderingContext2D, [x, y]: [number, number], pen: number): void {
  const side = 4 * pen;
  ctx.fillStyle = "#fff";
  ctx.fillRect(x - side / 2, y - side / 2, side, side);
  ctx.strokeStyle = HALO;
  ctx.lineWidth = pen / 2;
  ctx.strokeRect(x - side / 2, y - side / 2, side, side);
}

/** Where a region's label hangs: its upper left corner, of a mask over its highest pixel. */
function topOf({ region }: Shown): [number, number] | null {
  const { forms } = region;
  if (forms.mask) {
    return maskTop(forms.mask);
  }
  if (forms.box_xyxy) return boxCorners(forms.box_xyxy)[0]!;
  const places = outline(forms);
  if (!places) return null;
  return places.reduce((top, own) => (own[1] < top[1] ? own : top));
}

/** Words at places of an image, such as what a slice of it is. */
export function drawCaptions(ctx: CanvasRenderingContext2D, view: Viewport, captions: readonly { at: Place; text: string }[]): void {
  ctx.font = "11px system-ui, sans-serif";
  ctx.textBaseline = "top";
  for (const { at, text } of captions) {
    const [x, y] = toScreen(view, at);
    ctx.fillStyle = "rgba(10, 12, 18, 0.55)";
    if (text) ctx.fillRect(x, y, ctx.measureText(text).width + 8, 16);
    ctx.fillStyle = "#ffffff";
    ctx.fillText(text, x + 4, y + 3);
  }
}

/** What a brush is painting; `width` on the screen. */
export function drawBrush(ctx: CanvasRenderingContext2D, view: Viewport, path: readonly Place[], width: number, erases: boolean): void {
  if (!path.length) return;
  const line = new Path2D();
  path.forEach((place, at) => {
    const [x, y] = toScreen(view, place);
    if (at) line.lineTo(x, y);
    else line.moveTo(x, y);
    if (path.length === 1) line.lineTo(x + 0.01, y);
  });
  ctx.lineCap = ctx.lineJoin = "round";
  ctx.lineWidth = width;
  ctx.strokeStyle = erases ? "rgba(20, 22, 30, 0.5)" : `${POINTED}a0`;
  ctx.stroke(line);
}

/** The line that is being drawn around something. */
export function drawOutline(ctx: CanvasRenderingContext2D, corners: readonly Place[], isClosed: boolean): void {
  const line = new Path2D();
  corners.forEach(([x, y], at) => (at ? line.lineTo(x, y) : line.moveTo(x, y)));
  if (isClosed) line.closePath();
  for (const [colour, width] of [[HALO, 4], [POINTED, 2]] as const) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.stroke(line);
  }
}
