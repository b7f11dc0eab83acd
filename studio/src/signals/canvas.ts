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

const MAX_LETTERS = 28;

/** The labels of one drawing, none of which covers another: one that would is drawn below it. */
export class Labels {
  private readonly drawn: { left: number; top: number; right: number; bottom: number }[] = [];

  /** @param size of the letters, in the units that are drawn in */
  constructor(
    private readonly ctx: CanvasRenderingContext2D,
    private readonly size = 13,
  ) {}

  get height(): number {
    return this.size * 1.5;
  }

  /** A label with its upper left corner at a place, or near it; kept left of `end`. */
  draw(text: string, [x, y]: Place, colour: string, end: number): void {
    const { ctx, size, height } = this;
    const words = text.length > MAX_LETTERS ? `${text.slice(0, MAX_LETTERS - 1)}…` : text;
    ctx.font = `600 ${size}px system-ui, sans-serif`;
    const width = ctx.measureText(words).width + size;
    const left = Math.max(2, Math.min(x, end - width - 2));
    let top = Math.max(2, y);
    const covered = () => this.drawn.find((own) => own.left < left + width && own.right > left && own.top < top + height && own.bottom > top);
    for (let other = covered(); other; other = covered()) top = other.bottom + 1;
    this.drawn.push({ left, top, right: left + width, bottom: top + height });
    ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.roundRect(left, top, width, height, size * 0.35);
    ctx.fill();
    ctx.fillStyle = inkOn(colour);
    ctx.textBaseline = "middle";
    ctx.fillText(words, left + size / 2, top + height / 2);
  }
}
