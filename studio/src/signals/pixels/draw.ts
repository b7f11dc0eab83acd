// Regions drawn over an image: on the screen, and into files at the image's own size.
import { boxCorners, decoded, outline } from "../../regions/edit";
import { formOf, type PlacedRegion, type Rle } from "../../regions/region";
import { toScreen, type Viewport } from "./viewport";

const TINT = 0.38; // how much of its colour covers a mask
const FAINT = 0.25; // of regions beside one that is lit up
const HALO = "rgba(10, 12, 18, 0.6)";

export interface Shown {
  region: PlacedRegion;
  label: string;
  lit: boolean;
  faint: boolean;
  selected: boolean;
  /** Of the next question: may be moved and resized. */
  editable: boolean;
}

interface MaskDrawing {
  tint: HTMLCanvasElement;
  edges: Path2D;
}
const drawings = new WeakMap<Rle, Map<string, MaskDrawing>>();

/** Draws regions, the lit ones last; `pen` is the width of a line in pixels of the canvas. */
export function drawRegions(ctx: CanvasRenderingContext2D, view: Viewport, shown: Shown[], pen: number): void {
  const order = [...shown].sort((a, b) => Number(a.lit) - Number(b.lit) || rank(a) - rank(b));
  for (const item of order) {
    ctx.save();
    ctx.globalAlpha = item.faint ? FAINT : 1;
    drawShape(ctx, view, item, item.lit || item.selected ? pen * 1.6 : pen);
    ctx.restore();
  }
  for (const item of order) if (!item.faint) drawLabel(ctx, view, item, pen);
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

function drawSpot(ctx: CanvasRenderingContext2D, [x, y]: [number, number], colour: string, pen: number): void {
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

function drawMask(ctx: CanvasRenderingContext2D, view: Viewport, rle: Rle, colour: string, pen: number, lit: boolean): void {
  const { tint, edges } = maskDrawing(rle, colour);
  const alpha = ctx.globalAlpha;
  ctx.globalAlpha = alpha * (lit ? 0.6 : TINT);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(tint, view.x, view.y, tint.width * view.scale, tint.height * view.scale);
  ctx.globalAlpha = alpha;
  const onScreen = new Path2D();
  onScreen.addPath(edges, new DOMMatrix([view.scale, 0, 0, view.scale, view.x, view.y]));
  ctx.lineCap = "square";
  ctx.strokeStyle = HALO;
  ctx.lineWidth = pen * 1.6;
  ctx.stroke(onScreen);
  ctx.strokeStyle = colour;
  ctx.lineWidth = pen * 0.8;
  ctx.stroke(onScreen);
}

function maskDrawing(rle: Rle, colour: string): MaskDrawing {
  const own = drawings.get(rle) ?? new Map<string, MaskDrawing>();
  drawings.set(rle, own);
  const known = own.get(colour);
  if (known) return known;
  const mask = decoded(rle);
  const tint = document.createElement("canvas");
  [tint.width, tint.height] = [mask.width, mask.height];
  const ctx = tint.getContext("2d")!;
  const pixels = ctx.createImageData(mask.width, mask.height);
  const [red, green, blue] = channels(colour);
  mask.data.forEach((value, at) => {
    if (value) pixels.data.set([red, green, blue, 255], 4 * at);
  });
  ctx.putImageData(pixels, 0, 0);
  const edges = new Path2D();
  for (const [x1, y1, x2, y2] of mask.edges()) {
    edges.moveTo(x1!, y1!);
    edges.lineTo(x2!, y2!);
  }
  const drawing = { tint, edges };
  own.set(colour, drawing);
  return drawing;
}

/** Red, green and blue, 0 to 255, of "#rrggbb". */
export function channels(colour: string): [number, number, number] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as [number, number, number];
}

/** White or ink, whichever can be read on a colour. */
export function inkOn(colour: string): string {
  const [red, green, blue] = channels(colour);
  return (0.299 * red + 0.587 * green + 0.114 * blue) / 255 > 0.6 ? "#181a22" : "#ffffff";
}

function drawLabel(ctx: CanvasRenderingContext2D, view: Viewport, item: Shown, pen: number): void {
  if (!item.label) return;
  const top = topOf(item);
  if (!top) return;
  const [x, y] = toScreen(view, top);
  const size = 6.5 * pen;
  ctx.font = `600 ${size}px system-ui, sans-serif`;
  const text = item.label.length > 28 ? `${item.label.slice(0, 27)}…` : item.label;
  const width = ctx.measureText(text).width + size;
  const height = size * 1.5;
  const room = ctx.canvas.width / ctx.getTransform().a; // in the units that are drawn in
  const left = Math.max(2, Math.min(room - width - 2, x));
  const above = Math.max(2, y - height - 2 * pen);
  ctx.fillStyle = item.region.colour;
  ctx.beginPath();
  ctx.roundRect(left, above, width, height, size * 0.35);
  ctx.fill();
  ctx.fillStyle = inkOn(item.region.colour);
  ctx.textBaseline = "middle";
  ctx.fillText(text, left + size / 2, above + height / 2);
}

/** Where a region's label hangs: its upper left corner, of a mask over its highest pixel. */
function topOf({ region }: Shown): [number, number] | null {
  const { forms } = region;
  if (forms.mask) {
    const mask = decoded(forms.mask);
    const first = mask.data.indexOf(1);
    return first < 0 ? null : [first % mask.width, Math.floor(first / mask.width)];
  }
  if (forms.box_xyxy) return boxCorners(forms.box_xyxy)[0]!;
  const places = outline(forms);
  if (!places) return null;
  return places.reduce((top, own) => (own[1] < top[1] ? own : top));
}
