// What the server shows of a signal: facts, and parts that any browser draws.
import { getJson, request } from "./http";

export interface Part {
  name: string;
  type: string;
  shape?: number[];
  dtype?: "float32" | "uint32" | "int32" | "uint8";
}

interface Common {
  modality: string;
  noun: string;
  name: string;
  axes: string;
  parts: Part[];
  size_hw?: [number, number];
  duration_s?: number;
  point_count?: number;
  value_count?: number;
  ignored?: string[];
}

export interface PixelView extends Common {
  drawn_as: "pixels";
  size_hw: [number, number];
  value_axes?: string[];
  value_unit?: string;
  near?: number;
  far?: number;
}
export interface FrameView extends Common {
  drawn_as: "frames";
  size_hw: [number, number];
  duration_s: number;
  times_s: number[];
}
export interface WaveformView extends Common {
  drawn_as: "waveform";
  duration_s: number;
  rate_hz: number;
}
export interface CurveView extends Common {
  drawn_as: "curves";
  duration_s: number;
  curves: string[];
}
export interface PointView extends Common {
  drawn_as: "points";
  shown_count: number;
  place_unit: string;
}
export interface VoxelView extends Common {
  drawn_as: "voxels";
  shown_count: number;
  place_unit: string;
  grid: [number, number, number];
  low: number;
  high: number;
}
export interface NumberView extends Common {
  drawn_as: "numbers";
  low: number;
  high: number;
}
export type SignalView = PixelView | FrameView | WaveformView | CurveView | PointView | VoxelView | NumberView;

const address = (fileId: string) => `studio/api/signals/${encodeURIComponent(fileId)}`;

export function signalView(fileId: string): Promise<SignalView> {
  return getJson<SignalView>(address(fileId));
}

/** The bytes of a part. Fetched, not linked: a server with keys wants a header. */
export async function partBlob(fileId: string, name: string): Promise<Blob> {
  return (await request(`${address(fileId)}/${encodeURIComponent(name)}`)).blob();
}

export async function partImage(fileId: string, name: string): Promise<ImageBitmap> {
  return createImageBitmap(await partBlob(fileId, name));
}

/** The numbers of a part, row by row; null where the view has no such part. */
export async function partArray(
  fileId: string,
  view: SignalView,
  name: string,
): Promise<{ values: Float32Array | Uint32Array | Int32Array | Uint8Array; shape: number[] } | null> {
  const part = view.parts.find((own) => own.name === name);
  if (!part?.shape) return null;
  const buffer = await (await request(`${address(fileId)}/${encodeURIComponent(name)}`)).arrayBuffer();
  const kinds = { float32: Float32Array, uint32: Uint32Array, int32: Int32Array, uint8: Uint8Array };
  return { values: new kinds[part.dtype ?? "float32"](buffer), shape: part.shape };
}
