import { describe, expect, it } from "vitest";

import { Mask, maskToRle, rleToMask } from "../src/regions/mask";

describe("run lengths", () => {
  it("are those of pycocotools", () => {
    const mask = new Mask(5, 7);
    for (let y = 2; y < 5; y += 1) for (let x = 1; x < 4; x += 1) mask.data[y * 5 + x] = 1;
    mask.data[6 * 5 + 4] = 1;
    expect(maskToRle(mask)).toEqual({ size: [7, 5], counts: "9340004N" });
    expect(rleToMask({ size: [7, 5], counts: "9340004N" }).data).toEqual(mask.data);
  });

  it("of long runs are read and written the same", () => {
    const rle = { size: [120, 200] as [number, number], counts: "01le3>Z]L6K4L4M2M4M2N2M4M2N2O0O2N2N2N2O0O2N2O0O2O0O2O0O2O0O2O0O2O0O2O000O2O00000O2O00000O2O0000000O2O0000000000000000000000000000000000000000000000000001N100000001N1000001N1000001N10001N101N101N101N101N101N101N2N101N2N2N2N101N2N3L3N2N3L3N3L4L5Jni5" };
    const mask = rleToMask(rle);
    expect(mask.area).toBe(7518);
    expect(maskToRle(mask)).toEqual(rle);
  });

  it("may be plain numbers, and begin with ones", () => {
    const mask = rleToMask({ size: [2, 2], counts: [0, 1, 2, 1] });
    expect(Array.from(mask.data)).toEqual([1, 0, 0, 1]);
    expect(rleToMask(maskToRle(mask)).data).toEqual(mask.data);
  });
});

describe("painting", () => {
  it("takes the pixels whose centres lie within the radius", () => {
    const mask = new Mask(9, 9);
    mask.stroke([4.5, 4.5], [4.5, 4.5], 1.1);
    expect(mask.area).toBe(5);
    mask.stroke([4.5, 4.5], [4.5, 4.5], 0, 0);
    expect(mask.area).toBe(4);
  });

  it("stays within the image", () => {
    const mask = new Mask(4, 4);
    mask.stroke([-5, -5], [9, 9], 1);
    expect(mask.has(0, 0)).toBe(true);
    expect(mask.has(-1, 0)).toBe(false);
  });

  it("fills a polygon by the centres of pixels", () => {
    const mask = new Mask(6, 6);
    mask.fill([[1, 1], [5, 1], [5, 4], [1, 4]]);
    expect(mask.area).toBe(12);
    expect(mask.has(1, 1)).toBe(true);
    expect(mask.has(5, 3)).toBe(false);
  });

  it("has edges around it, joined along rows and columns", () => {
    const mask = new Mask(6, 6);
    mask.fill([[1, 1], [5, 1], [5, 4], [1, 4]]);
    expect(mask.edges()).toHaveLength(4);
  });
});
