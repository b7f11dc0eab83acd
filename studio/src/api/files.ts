// Files on the server: sent by hand, or samples of the generated world.
import type { RegionForms } from "../regions/region";
import { getJson, request } from "./http";

export interface FileObject {
  id: string;
  filename: string;
  bytes: number;
  signal: { kind: string; size_hw?: [number, number]; duration_s?: number; point_count?: number; value_count?: number };
  /** Of a sample: what to ask about it. */
  questions?: SuggestedQuestion[];
}

export interface SuggestedQuestion {
  text: string;
  regions: (RegionForms & { signal: number })[];
}

export interface Sample {
  id: string;
  modality: string;
  noun: string;
}

/** Sends a file; `modality` and `number` say what its name does not. */
export async function sendFile(file: File, modality?: string, number?: number): Promise<FileObject> {
  const form = new FormData();
  form.set("purpose", "user_data");
  if (modality) form.set("modality", modality);
  if (number !== undefined) form.set("number", String(number));
  form.set("file", file, file.name);
  return (await request("v1/files", { method: "POST", body: form })).json() as Promise<FileObject>;
}

export async function listSamples(): Promise<Sample[]> {
  return (await getJson<{ data: Sample[] }>("studio/api/samples")).data;
}

export async function takeSample(id: string): Promise<FileObject> {
  const path = `studio/api/samples/${encodeURIComponent(id)}`;
  return (await request(path, { method: "POST" })).json() as Promise<FileObject>;
}
