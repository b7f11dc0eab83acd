// Pictures of signals as files.
import type { Place } from "../pointing/tools";
import { drawRegions, type Shown } from "./pixels/draw";

const MAX_PX = 4096;
const PEN_SHARE = 1 / 360; // of the longer side
const LEAST_PX = 720; // small images are drawn larger, so that labels can be read

/** An image with regions drawn over it, at its own size or larger. */
export async function annotated(picture: CanvasImageSource, [width, height]: Place, shown: Shown[]): Promise<Blob | null> {
  const longer = Math.max(width, height);
  const scale = Math.min(MAX_PX / longer, Math.max(1, Math.ceil(LEAST_PX / longer)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  const ctx = canvas.getContext("2d")!;
  ctx.imageSmoothingEnabled = scale < 2;
  ctx.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const still = shown.map((item) => ({ ...item, lit: false, faint: false, selected: false }));
  drawRegions(ctx, { scale, x: 0, y: 0 }, still, Math.max(2, longer * scale * PEN_SHARE));
  return asPng(canvas);
}

export function asPng(canvas: HTMLCanvasElement): Promise<Blob | null> {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
