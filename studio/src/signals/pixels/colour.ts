// Colours as numbers, and what can be read on them.

/** Around lines and points, so that they are seen on any image. */
export const HALO = "rgba(10, 12, 18, 0.6)";

/** Red, green and blue, 0 to 255, of "#rrggbb". */
export function channels(colour: string): [number, number, number] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as [number, number, number];
}

/** White or ink, whichever can be read on a colour. */
export function inkOn(colour: string): string {
  const [red, green, blue] = channels(colour);
  return (0.299 * red + 0.587 * green + 0.114 * blue) / 255 > 0.6 ? "#181a22" : "#ffffff";
}
