// Masks as pixels, and their code as COCO's run lengths: down the columns, zeros first.
import type { Rle } from "./region";

export class Mask {
  constructor(
    readonly width: number,
    readonly height: number,
    readonly data: Uint8Array = new Uint8Array(width * height),
  ) {}

  get area(): number {
    let sum = 0;
    for (const value of this.data) sum += value;
    return sum;
  }

  copy(): Mask {
    return new Mask(this.width, this.height, this.data.slice());
  }

  has(x: number, y: number): boolean {
    const column = Math.floor(x);
    const row = Math.floor(y);
    if (column < 0 || row < 0 || column >= this.width || row >= this.height) return false;
    return this.data[row * this.width + column] === 1;
  }

  /** Sets, or clears, the pixels whose centres lie within `radius` of the line from a to b. */
  stroke(a: [number, number], b: [number, number], radius: number, value: 0 | 1 = 1): void {
    const reach = Math.max(radius, 0.75); // a pixel at least
    const left = Math.max(0, Math.floor(Math.min(a[0], b[0]) - reach));
    const right = Math.min(this.width - 1, Math.ceil(Math.max(a[0], b[0]) + reach));
    const top = Math.max(0, Math.floor(Math.min(a[1], b[1]) - reach));
    const bottom = Math.min(this.height - 1, Math.ceil(Math.max(a[1], b[1]) + reach));
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const length2 = dx * dx + dy * dy || 1;
    for (let y = top; y <= bottom; y += 1) {
      for (let x = left; x <= right; x += 1) {
        const [px, py] = [x + 0.5 - a[0], y + 0.5 - a[1]];
        const along = Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
        const distance2 = (px - along * dx) ** 2 + (py - along * dy) ** 2;
        if (distance2 <= reach * reach) this.data[y * this.width + x] = value;
      }
    }
  }

  /** Sets the pixels whose centres lie inside a polygon. */
  fill(corners: [number, number][]): void {
    for (let y = 0; y < this.height; y += 1) {
      const crossings: number[] = [];
      corners.forEach(([x1, y1], at) => {
        const [x2, y2] = corners[(at + 1) % corners.length]!;
        const middle = y + 0.5;
        if (y1 <= middle !== y2 <= middle) crossings.push(x1 + ((middle - y1) / (y2 - y1)) * (x2 - x1));
      });
      crossings.sort((a, b) => a - b);
      for (let at = 0; at + 1 < crossings.length; at += 2) {
        const from = Math.max(0, Math.ceil(crossings[at]! - 0.5));
        const to = Math.min(this.width - 1, Math.ceil(crossings[at + 1]! - 0.5) - 1);
        this.data.fill(1, y * this.width + from, y * this.width + Math.max(from, to + 1));
      }
    }
  }

  /** The mask with `step` x `step` pixels as one, which is set where any of them is. */
  reduced(step: number): Mask {
    if (step === 1) return this;
    const small = new Mask(Math.ceil(this.width / step), Math.ceil(this.height / step));
    for (let y = 0; y < this.height; y += 1) {
      const row = Math.floor(y / step) * small.width;
      for (let x = 0, at = y * this.width; x < this.width; x += 1, at += 1) {
        if (this.data[at]) small.data[row + Math.floor(x / step)] = 1;
      }
    }
    return small;
  }

  /** Edges between pixels inside and outside, as lines [x1, y1, x2, y2]; neighbours in a row are joined. */
  edges(): number[][] {
    const at = (x: number, y: number) =>
      x >= 0 && y >= 0 && x < this.width && y < this.height ? this.data[y * this.width + x]! : 0;
    const lines: number[][] = [];
    for (let y = 0; y <= this.height; y += 1) {
      let start = -1;
      for (let x = 0; x <= this.width; x += 1) {
        const edge = x < this.width && at(x, y) !== at(x, y - 1);
        if (edge && start < 0) start = x;
        if (!edge && start >= 0) {
          lines.push([start, y, x, y]);
          start = -1;
        }
      }
    }
    for (let x = 0; x <= this.width; x += 1) {
      let start = -1;
      for (let y = 0; y <= this.height; y += 1) {
        const edge = y < this.height && at(x, y) !== at(x - 1, y);
        if (edge && start < 0) start = y;
        if (!edge && start >= 0) {
          lines.push([x, start, x, y]);
          start = -1;
        }
      }
    }
    return lines;
  }
}

/** The compressed code that pycocotools writes. */
export function maskToRle(mask: Mask): Rle {
  const runs: number[] = [];
  let value = 0;
  let run = 0;
  for (let x = 0; x < mask.width; x += 1) {
    for (let y = 0; y < mask.height; y += 1) {
      if (mask.data[y * mask.width + x] === value) {
        run += 1;
      } else {
        runs.push(run);
        run = 1;
        value = 1 - value;
      }
    }
  }
  runs.push(run);
  return { size: [mask.height, mask.width], counts: compressed(runs) };
}

export function rleToMask(rle: Rle): Mask {
  const [height, width] = rle.size;
  const mask = new Mask(width, height);
  const runs = typeof rle.counts === "string" ? uncompressed(rle.counts) : rle.counts;
  let at = 0;
  runs.forEach((run, number) => {
    if (number % 2) {
      for (let pixel = at; pixel < at + run; pixel += 1) {
        mask.data[(pixel % height) * width + Math.floor(pixel / height)] = 1;
      }
    }
    at += run;
  });
  return mask;
}

// Five bits a character, little end first, bit 0x20 for "more follows"; from the fourth run on, differences to the run
// before the last (cocoapi, common/maskApi.c, rleToString).
function compressed(runs: number[]): string {
  let text = "";
  runs.forEach((run, number) => {
    let rest = number > 2 ? run - runs[number - 2]! : run;
    for (let more = true; more; ) {
      const bits = rest & 0x1f;
      rest >>= 5;
      more = bits & 0x10 ? rest !== -1 : rest !== 0;
      text += String.fromCharCode((more ? bits | 0x20 : bits) + 48);
    }
  });
  return text;
}

function uncompressed(text: string): number[] {
  const runs: number[] = [];
  for (let at = 0; at < text.length; ) {
    let [value, shift, more] = [0, 0, true];
    while (more) {
      const bits = text.charCodeAt(at) - 48;
      value |= (bits & 0x1f) << shift;
      more = (bits & 0x20) !== 0;
      at += 1;
      shift += 5;
      if (!more && bits & 0x10) value |= -1 << shift;
    }
    runs.push(runs.length > 2 ? value + runs[runs.length - 2]! : value);
  }
  return runs;
}
