// The pointing tools: which a signal has, by its axes, and what a stroke of each makes.
import type { SignalView } from "../api/views";
import type { RegionForms } from "../regions/region";

export type Tool = "look" | "point" | "box" | "scribble" | "lasso" | "brush" | "erase" | "span";
export type Place = [number, number];

export interface ToolFacts {
  name: string;
  /** What it does, for tooltips and screen readers. */
  about: string;
  key: string;
}

export const TOOLS: Record<Tool, ToolFacts> = {
  look: { name: "Look", about: "Move and zoom; choose, move and resize regions", key: "v" },
  point: { name: "Point", about: "Point at one place", key: "p" },
  box: { name: "Box", about: "Draw a box", key: "b" },
  scribble: { name: "Scribble", about: "Draw a line over what is meant", key: "s" },
  lasso: { name: "Lasso", about: "Draw around what is meant", key: "l" },
  brush: { name: "Brush", about: "Paint a mask", key: "m" },
  erase: { name: "Erase", about: "Take away from the chosen mask", key: "e" },
  span: { name: "Span", about: "Mark a span of time", key: "t" },
};

/** The tools of a signal by its axes; none but looking where it has no places or the model takes no regions. */
export function toolsOf({ axes, drawn_as }: SignalView, takesRegions: boolean): Tool[] {
  if (!takesRegions) return ["look"];
  switch (drawn_as === "voxels" ? "xy" : axes) {
    case "xy": // slices of voxels too: they are pointed into as images are
      return ["look", "point", "box", "scribble", "lasso", "brush", "erase"];
    case "xyt":
      return ["look", "point", "box", "scribble", "lasso", "brush", "erase", "span"];
    case "t":
      return ["look", "point", "span"];
    case "xyz":
      return ["look", "point", "box", "lasso"];
    default:
      return ["look"];
  }
}

export function isMaskTool(tool: Tool): boolean {
  return tool === "brush" || tool === "erase";
}

const MIN_SIDE_PX = 1;
const MIN_STEP_PX = 0.75; // of a drawn line: points closer than that are left out

/** The region that a stroke through places in pixels makes; null for one that marks nothing. */
export function strokeForms(tool: Tool, path: Place[], [width, height]: Place): RegionForms | null {
  const inside = path.map(([x, y]): Place => [clamp(x, 0, width), clamp(y, 0, height)]);
  const last = inside.at(-1);
  if (!last) return null;
  if (tool === "point") return { point: [round(Math.min(last[0], width - 0.01)), round(Math.min(last[1], height - 0.01))] };
  if (tool === "box") {
    const [first] = inside as [Place];
    const box = [Math.min(first[0], last[0]), Math.min(first[1], last[1]), Math.max(first[0], last[0]), Math.max(first[1], last[1])];
    if (box[2]! - box[0]! < MIN_SIDE_PX || box[3]! - box[1]! < MIN_SIDE_PX) return null;
    return { box_xyxy: box.map(round) as [number, number, number, number] };
  }
  const line = thinned(inside).map(([x, y]): Place => [round(x), round(y)]);
  if (tool === "scribble") return { scribble_xy: line };
  if (tool === "lasso") return line.length >= 3 ? { polygon_xy: line } : null;
  return null;
}

function thinned(path: Place[]): Place[] {
  const kept: Place[] = [];
  for (const place of path) {
    const last = kept.at(-1);
    if (!last || Math.hypot(place[0] - last[0], place[1] - last[1]) >= MIN_STEP_PX) kept.push(place);
  }
  return kept;
}

export const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
export const round = (value: number) => Math.round(value * 100) / 100;
