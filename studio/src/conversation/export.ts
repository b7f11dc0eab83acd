// Answers as files: JSON as the API sent it, masks as PNG and COCO run lengths.
import { decoded } from "../regions/edit";
import { asPng } from "../signals/drawing";
import { studio } from "./studio.svelte";
import type { Turn } from "./turn.svelte";

export function answerJson(turn: Turn): string {
  const signals = turn.order.map((id) => studio.entries.find((own) => own.id === id)?.file.filename);
  const question = { text: turn.text, regions: turn.asked.map((own) => ({ signal: turn.order.indexOf(own.entry), ...own.forms })) };
  return JSON.stringify({ signals, question, ...turn.answer }, null, 2);
}

export function hasMasks(turn: Turn): boolean {
  return turn.regions.some((own) => own.forms.mask);
}

/** (name, PNG) of every mask of an answer: white where it is, at the size of its image. */
export async function maskFiles(turn: Turn): Promise<[string, Blob][]> {
  const files: [string, Blob][] = [];
  for (const [number, region] of turn.regions.entries()) {
    if (!region.forms.mask) continue;
    const mask = decoded(region.forms.mask);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [mask.width, mask.height];
    const ctx = canvas.getContext("2d")!;
    const pixels = ctx.createImageData(mask.width, mask.height);
    mask.data.forEach((value, at) => pixels.data.set([value * 255, value * 255, value * 255, 255], 4 * at));
    ctx.putImageData(pixels, 0, 0);
    const blob = await asPng(canvas);
    if (blob) files.push([`mask-${number}-${plain(region.name)}.png`, blob]);
  }
  return files;
}

/** The masks of an answer as a COCO data set. */
export function cocoJson(turn: Turn): Blob {
  const names = [...new Set(turn.regions.map((own) => own.name))];
  const masks = turn.regions.filter((own) => own.forms.mask);
  const images = [...new Set(masks.map((own) => own.entry))].map((id) => {
    const entry = studio.entries.find((own) => own.id === id);
    const [height, width] = masks.find((own) => own.entry === id)!.forms.mask!.size;
    return { id: turn.order.indexOf(id), file_name: entry?.file.filename ?? "", height, width };
  });
  const annotations = masks.map((own, at) => ({
    id: at + 1,
    image_id: turn.order.indexOf(own.entry),
    category_id: names.indexOf(own.name) + 1,
    segmentation: own.forms.mask,
    area: decoded(own.forms.mask!).area,
    bbox: boxOf(own.forms.mask!),
    iscrowd: 0,
    ...(own.score == null ? {} : { score: own.score }),
  }));
  const categories = names.map((name, at) => ({ id: at + 1, name }));
  return new Blob([JSON.stringify({ images, annotations, categories }, null, 1)], { type: "application/json" });
}

/** COCO's box of a mask: left, top, width, height. */
function boxOf(rle: Parameters<typeof decoded>[0]): number[] {
  const mask = decoded(rle);
  let [left, top, right, bottom] = [mask.width, mask.height, 0, 0];
  mask.data.forEach((value, at) => {
    if (!value) return;
    const [x, y] = [at % mask.width, Math.floor(at / mask.width)];
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
  });
  return [left, top, Math.max(0, right - left), Math.max(0, bottom - top)];
}

const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "region";

/** Gives a file to the browser to store. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the browser has begun by then
}
