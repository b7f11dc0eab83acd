// The conversation as OpenAI's chat completions with regions, and its streamed answer.
import type { RegionForms } from "../regions/region";
import { ApiError, request } from "./http";
import { eventData } from "./sse";

/** A region of an answer; `content[start:end]`, in code points, is its phrase. One that is absent has no form. */
export interface AnswerRegion extends RegionForms {
  signal?: number;
  label?: string;
  score?: number | null;
  unit?: string;
  phrase: string;
  start: number;
  end: number;
  absent?: boolean;
}

export interface AnswerMessage {
  content: string;
  regions: AnswerRegion[];
  warnings: string[];
}

export type ContentPart =
  | { type: "text"; text: string }
  | { type: "file"; file: { file_id: string } }
  | ({ type: "region"; signal: number } & RegionForms);

export type Message =
  | { role: "user"; content: ContentPart[] }
  | { role: "assistant"; content: string; regions: AnswerRegion[] };

export interface ChatRequest {
  model: string;
  messages: Message[];
  want?: string;
}

export interface Delta {
  content?: string;
  regions?: AnswerRegion[];
  warnings?: string[];
}

/** The pieces of the answer as they come. Raises ApiError, also for an error within the stream. */
export async function* streamAnswer(body: ChatRequest, signal: AbortSignal): AsyncGenerator<Delta> {
  const response = await request("v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...body, stream: true }),
    signal,
  });
  if (!response.body) throw new ApiError("the server sent an answer without a body", response.status);
  for await (const data of eventData(response.body)) {
    if (data === "[DONE]") return;
    const event = JSON.parse(data) as {
      error?: { message: string; param: string | null };
      choices?: { delta: Delta }[];
    };
    if (event.error) throw new ApiError(event.error.message, 400, event.error.param);
    const delta = event.choices?.[0]?.delta;
    if (delta) yield delta;
  }
}
