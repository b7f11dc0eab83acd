// What all viewers draw on: canvases as sharp as the screen, crosshairs, labels.
import type { Place } from "../pointing/tools";
import { inkOn } from "./pixels/colour";

/** The context of an empty canvas of a size in CSS pixels, in which it is drawn whatever the screen's own pixels are. */
export function cleared(canvas: HTMLCanvasElement, [width, height]: Place): CanvasRenderingContext2D | null {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (!w || !h) return null;
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const ctx = canvas.getContext("2d")!;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return ctx;
}

/** Calls with the size of an element now and whenever it changes; gives what ends it. */
export function onResize(element: Element, call: (size: Place) => void): () => void {
  const observer = new ResizeObserver(([entry]) => call([entry!.contentRect.width, entry!.contentRect.height]));
  observer.observe(element);
  return () => observer.disconnect();
}

/** Where an event is on an element. */
export function placeIn(element: Element, event: MouseEvent): Place {
  const box = element.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

const CROSS_PX = 14;

/** The crosshair of the keyboard. */
export function drawCross(ctx: CanvasRenderingContext2D, [x, y]: Place): void {
  for (const [colour, width] of [["#000a", 3], ["#fff", 1]] as const) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.beginPath();
    ctx.moveTo(x - CROSS_PX, y);
    ctx.lineTo(x + CROSS_PX, y);
    ctx.moveTo(x, y - CROSS_PX);
    ctx.lineTo(x, y + CROSS_PX);
    ctx.stroke();
  }
}

/** A label with its upper left corner at a place; kept left of `right`. */
export function drawChip(ctx: CanvasRenderingContext2D, text: string, [x, y]: Place, colour: string, right: number): void {
  ctx.font = "600 12.5px system-ui, sans-serif";
  const width = ctx.measureText(text).width + 12;
  const left = Math.max(2, Math.min(x, right - width - 2));
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.roundRect(left, y, width, 19, 5);
  ctx.fill();
  ctx.fillStyle = inkOn(colour);
  ctx.textBaseline = "middle";
  ctx.fillText(text, left + 6, y + 10);
}
