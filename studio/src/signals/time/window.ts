// The part of a signal's time that is on the screen.
import { clamp } from "../../pointing/tools";
import type { RegionForms } from "../../regions/region";

/** What is shown, in seconds. */
export interface TimeWindow {
  start: number;
  end: number;
}

const LEAST_S = 0.05;

/** Zoomed so that an instant stays where it is, within the signal. */
export function zoomedTime({ start, end }: TimeWindow, factor: number, at: number, durationS: number): TimeWindow {
  const length = clamp((end - start) / factor, Math.min(LEAST_S, durationS), durationS);
  const share = (at - start) / (end - start);
  return within({ start: at - share * length, end: at + (1 - share) * length }, durationS);
}

/** The same length, moved into the signal. */
export function within({ start, end }: TimeWindow, durationS: number): TimeWindow {
  const length = Math.min(end - start, durationS);
  const from = clamp(start, 0, durationS - length);
  return { start: from, end: from + length };
}

/** Instants for an axis: round numbers, so many that their labels have room. */
export function ticks({ start, end }: TimeWindow, count: number): { at: number; label: string }[] {
  const rough = (end - start) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((own) => own * power).find((own) => own >= rough) ?? rough;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const marks: { at: number; label: string }[] = [];
  for (let number = Math.ceil(start / step); number * step <= end + 1e-9; number += 1) {
    const at = number * step;
    const minutes = Math.floor(at / 60);
    const label = end < 60 ? `${at.toFixed(digits)} s` : `${minutes}:${(at - 60 * minutes).toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
    marks.push({ at, label });
  }
  return marks;
}

/** When a region is: an instant begins and ends at once; null for one that always holds. */
export function intervalOf(forms: RegionForms): [number, number] | null {
  if (forms.span_s) return forms.span_s;
  if (forms.time_s) return forms.time_s;
  if (forms.point?.length === 1) return [forms.point[0]!, forms.point[0]!];
  if (forms.point?.length === 3) return [forms.point[2]!, forms.point[2]!];
  return null;
}

/** The region with another interval, in the form that it has. */
export function withInterval(forms: RegionForms, [from, to]: [number, number]): RegionForms {
  const [start, end] = [Math.min(from, to), Math.max(from, to)].map((own) => Math.round(own * 1000) / 1000) as [number, number];
  if (forms.span_s) return { ...forms, span_s: [start, end] };
  if (forms.time_s) return { ...forms, time_s: [start, end] };
  if (forms.point?.length === 1) return { ...forms, point: [start] };
  return forms;
}
