// Marks over a signal in time: its axis, the interval of a region, the instant that is shown.
import { clamp } from "../../pointing/tools";
import type { Labels } from "../canvas";
import type { Box, Colours } from "./paint";
import { ticks, type TimeWindow } from "./window";

const TICK_PX = 90; // between two ticks, about

/** Where an instant is on the screen, and which instant is at a place on it. */
export class TimeScale {
  constructor(
    readonly box: Box,
    readonly window: TimeWindow,
  ) {}

  get right(): number {
    return this.box.left + this.box.width;
  }

  x(timeS: number): number {
    return this.box.left + ((timeS - this.window.start) / (this.window.end - this.window.start)) * this.box.width;
  }

  time(x: number): number {
    return this.window.start + ((x - this.box.left) / this.box.width) * (this.window.end - this.window.start);
  }
}

export function drawAxis(ctx: CanvasRenderingContext2D, scale: TimeScale, colours: Colours): void {
  ctx.fillStyle = colours.muted;
  ctx.font = "11px system-ui, sans-serif";
  ctx.textBaseline = "top";
  for (const { at, label } of ticks(scale.window, scale.box.width / TICK_PX)) {
    ctx.fillRect(scale.x(at), scale.box.height, 1, 4);
    const width = ctx.measureText(label).width;
    ctx.fillText(label, clamp(scale.x(at) - width / 2, scale.box.left, scale.right - width - 2), scale.box.height + 7);
  }
}

export interface Interval {
  interval: readonly [number, number];
  colour: string;
  label: string;
  strong: boolean;
  faint: boolean;
}

export function drawInterval(ctx: CanvasRenderingContext2D, scale: TimeScale, own: Interval, labels: Labels): void {
  const [from, to] = own.interval;
  if (scale.x(to) < scale.box.left || scale.x(from) > scale.right) return;
  const [left, right] = [from, to].map((at) => clamp(scale.x(at), scale.box.left, scale.right)) as [number, number];
  const height = scale.box.height;
  const alpha = own.faint ? 0.3 : 1;
  ctx.save();
  ctx.fillStyle = own.colour;
  ctx.globalAlpha = alpha * (own.strong ? 0.42 : 0.26);
  ctx.fillRect(left, 0, right - left, height);
  ctx.globalAlpha = alpha;
  for (const x of from === to ? [left] : [left, right]) {
    ctx.fillStyle = "rgba(255, 255, 255, 0.75)";
    ctx.fillRect(x - 2, 0, 4, height);
    ctx.fillStyle = own.colour;
    ctx.fillRect(x - 1, 0, 2, height);
  }
  ctx.fillRect(Math.min(left, right - 2), 0, Math.max(2, right - left), own.strong ? 5 : 3);
  if (own.label && !own.faint) labels.draw(own.label, [left, 5], own.colour, scale.right);
  ctx.restore();
}

export function drawInstant(ctx: CanvasRenderingContext2D, scale: TimeScale, timeS: number, colour: string, halo: string): void {
  const x = scale.x(timeS);
  if (x < scale.box.left - 1 || x > scale.right) return;
  ctx.fillStyle = halo;
  ctx.fillRect(x - 1.75, 0, 3.5, scale.box.height);
  ctx.fillStyle = colour;
  ctx.fillRect(x - 0.75, 0, 1.5, scale.box.height + 5);
}
