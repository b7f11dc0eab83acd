// A region as the API writes it, and as the studio keeps it.

/** Where a region is, in one form, in the units of its file; `time_s` bounds a region of a video in time. */
export interface RegionForms {
  point?: number[];
  box_xyxy?: [number, number, number, number];
  scribble_xy?: [number, number][];
  polygon_xy?: [number, number][];
  mask?: Rle;
  span_s?: [number, number];
  box3d_xyzxyz?: [number, number, number, number, number, number];
  points?: number[];
  time_s?: [number, number];
}

/** COCO's run lengths of a mask. */
export interface Rle {
  size: [number, number];
  counts: string | number[];
}

export const FORMS = [
  "point",
  "box_xyxy",
  "scribble_xy",
  "polygon_xy",
  "mask",
  "span_s",
  "box3d_xyzxyz",
  "points",
] as const;
export type Form = (typeof FORMS)[number];

/** A region on one of the studio's signals, pointed at by a person or by the model. */
export interface PlacedRegion {
  id: string;
  /** Of the signal's entry in the studio. */
  entry: string;
  forms: RegionForms;
  name: string;
  /** CSS colour in which it is drawn. */
  colour: string;
  by: "person" | "model";
  score?: number | null;
}

/** What a person points at: like none of the answers' colours. */
export const POINTED = "#ffc61a";
/** Of an answer's phrases 0, 1, 2, ...: those of `deixis.visualize`. */
export const PALETTE = ["#dd2c57", "#166cd6", "#008f5c", "#c96200", "#853fbe", "#0089a0"];

export function formOf(forms: RegionForms): Form | null {
  return FORMS.find((form) => forms[form] !== undefined && forms[form] !== null) ?? null;
}

/** Only what the API knows of a region, without the fields of an answer. */
export function onlyForms(values: RegionForms): RegionForms {
  const kept = Object.entries(values).filter(
    ([name, value]) => value != null && (name === "time_s" || (FORMS as readonly string[]).includes(name)),
  );
  return Object.fromEntries(kept) as RegionForms;
}

/** Whether a region holds at an instant; one without a time always does. */
export function holdsAt(forms: RegionForms, timeS: number | null): boolean {
  if (timeS === null) return true;
  const span = forms.time_s ?? forms.span_s ?? (forms.point?.length === 3 ? near(forms.point[2]!) : undefined);
  return !span || (timeS >= span[0] - 1e-6 && timeS <= span[1] + 1e-6);
}

const NEAR_S = 0.15; // an instant is shown so long before and after

function near(timeS: number): [number, number] {
  return [timeS - NEAR_S, timeS + NEAR_S];
}

let made = 0;

/** An id that no other region, signal or turn of this page has. */
export function freshId(prefix: string): string {
  made += 1;
  return `${prefix}-${made}`;
}
