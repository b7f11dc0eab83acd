// Voxels of a grid as slices side by side: an image in which every pixel is a voxel, so that the tools of images serve.
import { clamp, type Place } from "../../pointing/tools";
import { decoded, encoded } from "../../regions/edit";
import { Mask } from "../../regions/mask";
import { formOf, type RegionForms } from "../../regions/region";

const GAP = 1; // pixels between slices

export class Slices {
  readonly columns: number;
  readonly rows: number;
  readonly size: Place;
  /** Voxel at each pixel of the image, -1 for none. */
  private readonly voxelAt: Int32Array;
  private readonly pixelOf: Int32Array;
  private readonly known = new WeakMap<RegionForms, RegionForms>();

  /**
   * Slices along the third axis of the file's grid, the first to the right and the second upwards.
   * @param cells three whole numbers a voxel, from 0. @param xyz its place in mm.
   */
  constructor(
    readonly grid: readonly [number, number, number],
    cells: ArrayLike<number>,
    private readonly xyz: ArrayLike<number>,
    aspect = 1.4,
  ) {
    const [across, down, slices] = grid;
    this.columns = clamp(Math.round(Math.sqrt((slices * aspect * down) / across)), 1, slices);
    this.rows = Math.ceil(slices / this.columns);
    this.size = [this.columns * (across + GAP) - GAP, this.rows * (down + GAP) - GAP];
    this.voxelAt = new Int32Array(this.size[0] * this.size[1]).fill(-1);
    this.pixelOf = new Int32Array(cells.length / 3);
    for (let voxel = 0; voxel < this.pixelOf.length; voxel += 1) {
      const [x, y, slice] = [cells[3 * voxel]!, cells[3 * voxel + 1]!, cells[3 * voxel + 2]!];
      const [left, top] = this.corner(slice);
      const pixel = (top + down - 1 - y) * this.size[0] + left + x;
      this.pixelOf[voxel] = pixel;
      this.voxelAt[pixel] = voxel;
    }
  }

  /** Upper left pixel of a slice. */
  corner(slice: number): Place {
    const [across, down] = this.grid;
    return [(slice % this.columns) * (across + GAP), Math.floor(slice / this.columns) * (down + GAP)];
  }

  voxel([x, y]: Place): number {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= this.size[0] || row >= this.size[1]) return -1;
    return this.voxelAt[row * this.size[0] + column]!;
  }

  place(voxel: number): [number, number, number] {
    return [0, 1, 2].map((axis) => Math.round(this.xyz[3 * voxel + axis]! * 100) / 100) as [number, number, number];
  }

  /** The values as grey pixels between low and high; where no voxel is, nothing. */
  image(values: ArrayLike<number>, low: number, high: number): HTMLCanvasElement {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = this.size;
    const ctx = canvas.getContext("2d")!;
    const pixels = ctx.createImageData(...this.size);
    this.pixelOf.forEach((pixel, voxel) => {
      const level = clamp((values[voxel]! - low) / Math.max(high - low, 1e-9), 0, 1);
      const grey = 26 + level * 220;
      pixels.data.set([grey, grey, grey + 4, 255], 4 * pixel);
    });
    ctx.putImageData(pixels, 0, 0);
    return canvas;
  }

  /** A region of voxels as one of the image's pixels. */
  toPixels(forms: RegionForms): RegionForms {
    const known = this.known.get(forms);
    if (known) return known;
    const own = this.drawn(forms);
    this.known.set(forms, own);
    return own;
  }

  private drawn(forms: RegionForms): RegionForms {
    if (forms.point) {
      const pixel = this.pixelOf[this.nearest(forms.point)]!;
      return { point: [(pixel % this.size[0]) + 0.5, Math.floor(pixel / this.size[0]) + 0.5] };
    }
    const mask = new Mask(...this.size);
    const box = forms.box3d_xyzxyz;
    const inside = (voxel: number) =>
      box && [0, 1, 2].every((axis) => this.xyz[3 * voxel + axis]! >= box[axis]! && this.xyz[3 * voxel + axis]! <= box[axis + 3]!);
    const voxels = forms.points ?? Array.from(this.pixelOf.keys()).filter(inside);
    for (const voxel of voxels) if (this.pixelOf[voxel] !== undefined) mask.data[this.pixelOf[voxel]!] = 1;
    return { mask: encoded(mask) };
  }

  private nearest(place: readonly number[]): number {
    let [best, least] = [0, Infinity];
    for (let voxel = 0; voxel < this.pixelOf.length; voxel += 1) {
      const distance = [0, 1, 2].reduce((sum, axis) => sum + (this.xyz[3 * voxel + axis]! - place[axis]!) ** 2, 0);
      if (distance < least) [best, least] = [voxel, distance];
    }
    return best;
  }

  /** A region of the image's pixels as voxels; null where there are none. */
  toVoxels(forms: RegionForms): RegionForms | null {
    if (formOf(forms) === "point") {
      const voxel = this.voxel(forms.point as Place);
      return voxel < 0 ? null : { point: this.place(voxel) };
    }
    const mask = forms.mask ? decoded(forms.mask).copy() : new Mask(...this.size);
    if (forms.polygon_xy) mask.fill(forms.polygon_xy);
    if (forms.box_xyxy) {
      const [x1, y1, x2, y2] = forms.box_xyxy;
      mask.fill([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]);
    }
    forms.scribble_xy?.forEach((own, at, line) => mask.stroke(line[Math.max(0, at - 1)]!, own, 0.5));
    const points: number[] = [];
    mask.data.forEach((value, pixel) => {
      if (value && this.voxelAt[pixel]! >= 0) points.push(this.voxelAt[pixel]!);
    });
    return points.length ? { points: points.sort((a, b) => a - b) } : null;
  }
}
