// Regions in words: in lists, for screen readers, and as numbers that may be typed.
import { decoded } from "./edit";
import { type Form, formOf, type RegionForms } from "./region";

const NOUNS: Record<Form, string> = {
  point: "point",
  box_xyxy: "box",
  scribble_xy: "scribble",
  polygon_xy: "outline",
  mask: "mask",
  span_s: "span",
  box3d_xyzxyz: "3-D box",
  points: "points",
};

/** What a region is called where it has no name. */
export function nounOf(forms: RegionForms): string {
  const form = formOf(forms);
  return form ? NOUNS[form] : "region";
}

/** Where a region is: "x 120, y 40 to x 300, y 210", "1.20 to 2.00 s". */
export function placeOf(forms: RegionForms): string {
  const place = spatial(forms);
  return forms.time_s ? `${place}, ${seconds(forms.time_s)}` : place;
}

function spatial(forms: RegionForms): string {
  switch (formOf(forms)) {
    case "point":
      return pointWords(forms.point!);
    case "box_xyxy": {
      const [x1, y1, x2, y2] = forms.box_xyxy!.map(whole);
      return `x ${x1}, y ${y1} to x ${x2}, y ${y2}`;
    }
    case "scribble_xy":
      return `a line of ${forms.scribble_xy!.length} points`;
    case "polygon_xy":
      return `${forms.polygon_xy!.length} corners`;
    case "mask":
      return `${decoded(forms.mask!).area.toLocaleString("en")} pixels`;
    case "span_s":
      return seconds(forms.span_s!);
    case "box3d_xyzxyz":
      return `${forms.box3d_xyzxyz!.slice(0, 3).map(short).join(", ")} to ${forms.box3d_xyzxyz!.slice(3).map(short).join(", ")}`;
    case "points":
      return `${forms.points!.length.toLocaleString("en")} points`;
    default:
      return "nowhere";
  }
}

function pointWords(point: number[]): string {
  if (point.length === 1) return `${point[0]!.toFixed(2)} s`;
  if (point.length === 2) return `x ${whole(point[0]!)}, y ${whole(point[1]!)}`;
  return point.map(short).join(", ");
}

export function seconds([start, end]: [number, number]): string {
  return `${start.toFixed(2)} to ${end.toFixed(2)} s`;
}

/** "1:04.5" of 64.5 seconds. */
export function clock(timeS: number): string {
  const minutes = Math.floor(timeS / 60);
  const rest = timeS - minutes * 60;
  return minutes ? `${minutes}:${rest.toFixed(1).padStart(4, "0")}` : `${rest.toFixed(2)} s`;
}

const whole = (value: number) => Math.round(value);
const short = (value: number) => Number(value.toPrecision(3)).toString();

/** The names of the numbers of a form that can be typed; null for forms of many numbers. */
export function numberNames(forms: RegionForms): string[] | null {
  switch (formOf(forms)) {
    case "point":
      return [["time"], ["x", "y"], ["x", "y", "z"]][forms.point!.length - 1] ?? null;
    case "box_xyxy":
      return ["left", "top", "right", "bottom"];
    case "span_s":
      return ["start", "end"];
    case "box3d_xyzxyz":
      return ["x from", "y from", "z from", "x to", "y to", "z to"];
    default:
      return null;
  }
}
