// What the loaded model takes and gives.
import { getJson } from "./http";

export interface Abilities {
  signals: string[];
  regions: string[];
  answers: string[];
}

export interface ModelObject {
  id: string;
  abilities: Abilities;
  does_not_take?: string[];
}

export async function loadedModel(): Promise<ModelObject> {
  const { data } = await getJson<{ data: ModelObject[] }>("v1/models");
  if (!data[0]) throw new Error("the server has no model");
  return data[0];
}
