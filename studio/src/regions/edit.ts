// Regions that are moved and resized, and which of them lies under a place.
import { clamp, type Place, round } from "../pointing/tools";
import { Mask, maskToRle, rleToMask } from "./mask";
import { formOf, type RegionForms, type Rle } from "./region";

/** Corners of a box, in the order in which `resized` numbers them. */
export function boxCorners([x1, y1, x2, y2]: readonly number[]): Place[] {
  return [
    [x1!, y1!],
    [x2!, y1!],
    [x2!, y2!],
    [x1!, y2!],
  ];
}

/** A box with one of its corners elsewhere. */
export function resized(box: readonly number[], corner: number, [x, y]: Place): RegionForms {
  const opposite = boxCorners(box)[(corner + 2) % 4]!;
  const own = [Math.min(x, opposite[0]), Math.min(y, opposite[1]), Math.max(x, opposite[0]), Math.max(y, opposite[1])];
  return { box_xyxy: own.map(round) as [number, number, number, number] };
}

/** A region moved by so many pixels, kept inside; masks stay where they are. */
export function moved(forms: RegionForms, [dx, dy]: Place, [width, height]: Place): RegionForms {
  const places = outline(forms);
  if (!places || formOf(forms) === "mask") return forms;
  const xs = places.map(([x]) => x);
  const ys = places.map(([, y]) => y);
  const by: Place = [
    clamp(dx, -Math.min(...xs), width - Math.max(...xs)),
    clamp(dy, -Math.min(...ys), height - Math.max(...ys)),
  ];
  const shift = (row: Place): Place => [round(row[0] + by[0]), round(row[1] + by[1])];
  const { point, box_xyxy: box } = forms;
  if (point) return { ...forms, point: [...shift([point[0]!, point[1]!]), ...point.slice(2)] };
  if (box) {
    return { ...forms, box_xyxy: [...shift([box[0], box[1]]), ...shift([box[2], box[3]])] as [number, number, number, number] };
  }
  const name = forms.scribble_xy ? "scribble_xy" : "polygon_xy";
  return { ...forms, [name]: forms[name]!.map(shift) };
}

/** Places of a region of pixels: its corners, or the points of its line. */
export function outline(forms: RegionForms): Place[] | null {
  if (forms.point && forms.point.length >= 2) return [[forms.point[0]!, forms.point[1]!]];
  if (forms.box_xyxy) return boxCorners(forms.box_xyxy);
  return forms.scribble_xy ?? forms.polygon_xy ?? null;
}

/** Whether a place lies on a region of pixels; `slack` in pixels. */
export function covers(forms: RegionForms, [x, y]: Place, slack: number): boolean {
  switch (formOf(forms)) {
    case "point":
      return Math.hypot(x - forms.point![0]!, y - (forms.point![1] ?? 0)) <= slack * 1.5;
    case "box_xyxy": {
      const [x1, y1, x2, y2] = forms.box_xyxy!;
      return x >= x1 - slack && x <= x2 + slack && y >= y1 - slack && y <= y2 + slack;
    }
    case "scribble_xy":
      return forms.scribble_xy!.some((own, at, line) => distance([x, y], line[Math.max(0, at - 1)]!, own) <= slack);
    case "polygon_xy":
      return isInside([x, y], forms.polygon_xy!);
    case "mask":
      return decoded(forms.mask!).has(x, y);
    default:
      return false;
  }
}

/** How large a region looks, so that of several under a place the smallest is meant. */
export function sizeOf(forms: RegionForms): number {
  if (forms.mask) return maskArea(forms.mask);
  const places = outline(forms);
  if (!places) return Infinity;
  const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
  return (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys));
}

export function isInside([x, y]: Place, corners: Place[]): boolean {
  let inside = false;
  corners.forEach(([x1, y1], at) => {
    const [x2, y2] = corners[(at + 1) % corners.length]!;
    if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
  });
  return inside;
}

function distance([x, y]: Place, [ax, ay]: Place, [bx, by]: Place): number {
  const [dx, dy] = [bx - ax, by - ay];
  const along = clamp(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1), 0, 1);
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

/** The mask that a stroke adds to, or takes away from; null where no pixel is left. */
export function paintForms(
  erase: boolean,
  path: Place[],
  radiusPx: number,
  [width, height]: Place,
  onto: RegionForms | null,
): RegionForms | null {
  const mask = onto?.mask ? decoded(onto.mask).copy() : new Mask(width, height);
  path.forEach((place, at) => mask.stroke(path[Math.max(0, at - 1)]!, place, radiusPx, erase ? 0 : 1));
  return mask.area ? { mask: encoded(mask) } : null;
}

const masks = new WeakMap<Rle, Mask>();
const areas = new WeakMap<Rle, number>();

/** The pixels of a mask's code; decoded once, and not to be changed. */
export function decoded(rle: Rle): Mask {
  let mask = masks.get(rle);
  if (!mask) {
    mask = rleToMask(rle);
    masks.set(rle, mask);
  }
  return mask;
}

/** The code of a mask, whose pixels are known from now on. */
export function encoded(mask: Mask): Rle {
  const rle = maskToRle(mask);
  masks.set(rle, mask);
  return rle;
}

/** Pixels of a mask; counted once. */
export function maskArea(rle: Rle): number {
  let area = areas.get(rle);
  if (area === undefined) {
    area = decoded(rle).area;
    areas.set(rle, area);
  }
  return area;
}
