import { describe, expect, it } from "vitest";

import { strokeForms, toolsOf } from "../src/pointing/tools";
import { covers, moved, paintForms, resized } from "../src/regions/edit";
import { holdsAt } from "../src/regions/region";
import { placeOf } from "../src/regions/words";
import { Slices } from "../src/signals/places/slices";
import { intervalOf, ticks, withInterval, zoomedTime } from "../src/signals/time/window";

const SIZE: [number, number] = [100, 50];

describe("a stroke", () => {
  it.each([
    ["point", [[120, 10]], { point: [99.99, 10] }],
    ["box", [[10, 20], [-5, 60]], { box_xyxy: [0, 20, 10, 50] }],
    ["box", [[10, 20], [10.2, 20.2]], null],
    ["scribble", [[1, 1], [1.1, 1], [5, 5]], { scribble_xy: [[1, 1], [5, 5]] }],
    ["lasso", [[1, 1], [9, 1]], null],
    ["lasso", [[1, 1], [9, 1], [9, 9]], { polygon_xy: [[1, 1], [9, 1], [9, 9]] }],
    ["look", [[1, 1]], null],
  ] as const)("of %s", (tool, path, expected) => {
    expect(strokeForms(tool, path.map(([x, y]) => [x, y]), SIZE)).toEqual(expected);
  });

  it("paints onto a mask, and takes all of it away", () => {
    const first = paintForms(false, [[10, 10], [20, 10]], 2, SIZE, null)!;
    expect(first.mask!.size).toEqual([50, 100]);
    expect(paintForms(true, [[0, 10], [40, 10]], 20, SIZE, first)).toBeNull();
  });
});

it("tools follow the axes, and what the model reads", () => {
  const view = (axes: string, drawn_as = "pixels") => ({ axes, drawn_as }) as never;
  expect(toolsOf(view("xy"), true)).toContain("brush");
  expect(toolsOf(view("xyz", "voxels"), true)).toContain("brush");
  expect(toolsOf(view("xyz", "points"), true)).not.toContain("brush");
  expect(toolsOf(view("t"), true)).toEqual(["look", "point", "span"]);
  expect(toolsOf(view("xy"), false)).toEqual(["look"]);
  expect(toolsOf(view(""), true)).toEqual(["look"]);
});

describe("an edit", () => {
  it("moves a region, but not out of the image", () => {
    expect(moved({ box_xyxy: [10, 10, 20, 20] }, [-30, 5], SIZE)).toEqual({ box_xyxy: [0, 15, 10, 25] });
    expect(moved({ point: [5, 5, 1.5] }, [1, 1], SIZE)).toEqual({ point: [6, 6, 1.5] });
  });

  it("pulls a corner past the other one", () => {
    expect(resized([10, 10, 20, 20], 0, [30, 5])).toEqual({ box_xyxy: [20, 5, 30, 20] });
  });

  it("knows what lies under a place", () => {
    expect(covers({ polygon_xy: [[0, 0], [10, 0], [0, 10]] }, [2, 2], 0)).toBe(true);
    expect(covers({ polygon_xy: [[0, 0], [10, 0], [0, 10]] }, [8, 8], 0)).toBe(false);
    expect(covers({ scribble_xy: [[0, 0], [10, 0]] }, [5, 1], 2)).toBe(true);
  });
});

describe("time", () => {
  it("bounds regions of a video", () => {
    expect(holdsAt({ box_xyxy: [0, 0, 1, 1], time_s: [1, 2] }, 1.5)).toBe(true);
    expect(holdsAt({ box_xyxy: [0, 0, 1, 1], time_s: [1, 2] }, 2.5)).toBe(false);
    expect(holdsAt({ box_xyxy: [0, 0, 1, 1] }, 9)).toBe(true);
  });

  it("is read from, and put into, the form that a region has", () => {
    expect(intervalOf({ point: [2] })).toEqual([2, 2]);
    expect(intervalOf({ box_xyxy: [0, 0, 1, 1] })).toBeNull();
    expect(withInterval({ span_s: [0, 1] }, [2, 1.5])).toEqual({ span_s: [1.5, 2] });
  });

  it("zooms around an instant and stays within the signal", () => {
    expect(zoomedTime({ start: 0, end: 10 }, 2, 5, 10)).toEqual({ start: 2.5, end: 7.5 });
    expect(zoomedTime({ start: 2, end: 4 }, 0.1, 2, 10)).toEqual({ start: 0, end: 10 });
  });

  it("has ticks at round numbers", () => {
    expect(ticks({ start: 0, end: 1 }, 5).map((own) => own.label)).toEqual(["0.0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1.0 s"]);
    expect(ticks({ start: 60, end: 120 }, 3).map((own) => own.label)).toEqual(["1:00", "1:20", "1:40", "2:00"]);
  });
});

describe("slices of voxels", () => {
  const cells = [0, 0, 0, 1, 0, 0, 0, 1, 1];
  const xyz = [0, 0, 0, 2, 0, 0, 0, 2, 2];
  const slices = new Slices([2, 2, 2], cells, xyz);

  it("put every voxel on a pixel of its own, the second axis upwards", () => {
    const drawn = slices.toPixels({ points: [0, 2] });
    expect(slices.toVoxels(drawn)).toEqual({ points: [0, 2] });
    expect(slices.voxel([0, 1])).toBe(0);
    expect(slices.place(2)).toEqual([0, 2, 2]);
  });

  it("take places and boxes of the scanner's space", () => {
    expect(slices.toVoxels(slices.toPixels({ point: [1.9, 0, 0] }))).toEqual({ point: [2, 0, 0] });
    expect(slices.toVoxels(slices.toPixels({ box3d_xyzxyz: [-1, -1, -1, 3, 1, 1] }))).toEqual({ points: [0, 1] });
    expect(slices.toVoxels({ box_xyxy: [0, 0, 0.2, 0.2] })).toBeNull();
  });
});

it("regions are told in words", () => {
  expect(placeOf({ box_xyxy: [1, 2, 3, 4], time_s: [0, 1] })).toBe("x 1, y 2 to x 3, y 4, 0.00 to 1.00 s");
  expect(placeOf({ points: [1, 2, 3] })).toBe("3 points");
});
