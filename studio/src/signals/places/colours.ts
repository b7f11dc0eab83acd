// Colours of a cloud's points: their own, and those of the regions that hold them.
import type { RegionForms } from "../../regions/region";
import { channels } from "../pixels/colour";
import type { Shown } from "../pixels/draw";

const STEP_BACK = 0.6; // how much of its colour a point loses that no region holds
const PLAIN = 0.55; // the grey of points without colours
const PAPER = { light: 0.86, dark: 0.13 };
const SHARE = { lit: 0.85, usual: 0.6, faint: 0.2 }; // of the region's colour

/** Three numbers in [0, 1] a point. `step`: how many points of the file each one stands for. */
export function coloured(
  xyz: ArrayLike<number>,
  rgb: ArrayLike<number> | null,
  shown: readonly Shown[],
  step: number,
  isDark: boolean,
): Float32Array {
  const count = xyz.length / 3;
  const owner = new Int32Array(count).fill(-1);
  const order = shown.map((item, at) => ({ item, at })).sort((a, b) => Number(a.item.lit) - Number(b.item.lit));
  for (const { item, at } of order) for (const own of pointsOf(xyz, item.region.forms, step)) owner[own] = at;
  const isMarked = owner.some((own) => own >= 0);
  const paper = isDark ? PAPER.dark : PAPER.light;
  const marks = shown.map((item) => channels(item.region.colour).map((value) => value / 255));
  return Float32Array.from({ length: xyz.length }, (_, at) => {
    const own = rgb ? rgb[at]! : PLAIN;
    const number = owner[Math.floor(at / 3)]!;
    const item = shown[number];
    if (!item) return isMarked ? own * (1 - STEP_BACK) + paper * STEP_BACK : own;
    const share = item.lit || item.selected ? SHARE.lit : item.faint ? SHARE.faint : SHARE.usual;
    return own * (1 - share) + marks[number]![at % 3]! * share;
  });
}

/** Indices of the shown points that a region holds; a place holds none. */
export function pointsOf(xyz: ArrayLike<number>, forms: RegionForms, step: number): number[] {
  const last = xyz.length / 3 - 1;
  if (forms.points) return forms.points.map((own) => Math.min(last, Math.floor(own / step)));
  const box = forms.box3d_xyzxyz;
  const inside: number[] = [];
  for (let at = 0; box && at <= last; at += 1) {
    if ([0, 1, 2].every((axis) => xyz[3 * at + axis]! >= box[axis]! && xyz[3 * at + axis]! <= box[axis + 3]!)) inside.push(at);
  }
  return inside;
}

/** The mean of a region's points; null for one without points. */
export function middleOf(xyz: ArrayLike<number>, forms: RegionForms, step: number): number[] | null {
  const own = pointsOf(xyz, forms, step);
  if (!own.length) return null;
  return [0, 1, 2].map((axis) => own.reduce((sum, at) => sum + xyz[3 * at + axis]!, 0) / own.length);
}
