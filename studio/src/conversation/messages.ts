// The conversation as the API's messages.
import type { ContentPart, Message } from "../api/chat";
import type { PlacedRegion } from "../regions/region";
import type { Entry } from "./studio.svelte";
import type { Turn } from "./turn.svelte";

/** Messages of all turns; the last turn's answer is what is asked for. Turns that were stopped or failed count as said. */
export function messagesOf(turns: readonly Turn[], entries: readonly Entry[]): Message[] {
  const fileOf = new Map(entries.map((own) => [own.id, own.file.id]));
  return turns.flatMap((turn, at) => {
    const files: ContentPart[] = turn.files.map((id) => ({ type: "file", file: { file_id: fileOf.get(id)! } }));
    const regions = turn.asked.map((own) => regionPart(own, turn.order));
    const asked: Message = { role: "user", content: [...files, ...regions, { type: "text", text: turn.text }] };
    if (at === turns.length - 1) return [asked];
    return [asked, { role: "assistant", content: turn.answer.content, regions: turn.answer.regions }];
  });
}

function regionPart(region: PlacedRegion, order: readonly string[]): ContentPart {
  return { type: "region", signal: order.indexOf(region.entry), ...region.forms };
}
