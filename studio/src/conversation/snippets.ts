// The same conversation for programs: Python with OpenAI's client, and curl.
import { messagesOf } from "./messages";
import type { Entry } from "./studio.svelte";
import type { Turn } from "./turn.svelte";

interface Asked {
  model: string;
  turns: readonly Turn[];
  entries: readonly Entry[];
  /** Of the server, with a slash at the end. */
  server: string;
}

/** Requests of the turns up to the last; files by the names of variables. */
function bodyOf({ model, turns, entries }: Asked): { model: string; messages: unknown; want?: string } {
  const want = turns.at(-1)?.want;
  return { model, messages: messagesOf(turns, entries), ...(want ? { want } : {}) };
}

function filesOf({ turns, entries }: Asked): Entry[] {
  const order = turns.at(-1)?.order ?? [];
  return order.flatMap((id) => entries.find((own) => own.id === id) ?? []);
}

export function pythonSnippet(asked: Asked): string {
  const { model, messages, want } = bodyOf(asked);
  const files = filesOf(asked);
  let literal = python(messages, 0);
  files.forEach((own, number) => (literal = literal.replaceAll(JSON.stringify(own.file.id), `file_${number}.id`)));
  const sent = files.map((own, number) => {
    const says = `extra_body={"modality": ${JSON.stringify(own.view.modality)}}`;
    const path = `Path(${JSON.stringify(own.file.filename)})`;
    return `file_${number} = client.files.create(file=${path}, purpose="user_data", ${says})`;
  });
  return [
    "from pathlib import Path",
    "",
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${JSON.stringify(`${asked.server}v1`)}, api_key="none")`,
    ...sent,
    `messages = ${literal}`,
    `answer = client.chat.completions.create(model=${JSON.stringify(model)}, messages=messages${want ? `, extra_body={"want": ${JSON.stringify(want)}}` : ""})`,
    "message = answer.choices[0].message",
    "print(message.content)",
    "for region in message.regions:",
    "    print(region)",
    "",
  ].join("\n");
}

export function curlSnippet(asked: Asked): string {
  const files = filesOf(asked);
  let body = JSON.stringify(bodyOf(asked));
  // within single quotes of a shell: leave them, put the variable in double quotes, begin again
  body = body.replaceAll("'", `'\\''`);
  files.forEach((own, number) => (body = body.replaceAll(own.file.id, `'"$FILE_${number}"'`)));
  const sent = files.map(
    (own, number) =>
      `FILE_${number}=$(curl -s ${asked.server}v1/files -F purpose=user_data -F modality=${own.view.modality} ` +
      `-F ${quoted(`file=@${own.file.filename}`)} | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')`,
  );
  return [
    ...sent,
    `curl -s ${asked.server}v1/chat/completions -H 'Content-Type: application/json' -d '${body}'`,
    "",
  ].join("\n");
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const WIDE = 88;

/** A JSON value as Python's own, broken over lines where one gets long. */
function python(value: unknown, depth: number): string {
  const flat = flatPython(value);
  if (flat.length + 4 * depth <= WIDE || typeof value !== "object" || value === null) return flat;
  const inner = "    ".repeat(depth + 1);
  const outer = "    ".repeat(depth);
  if (Array.isArray(value)) {
    if (value.every((own) => typeof own === "number")) return flat;
    return `[\n${value.map((own) => `${inner}${python(own, depth + 1)},\n`).join("")}${outer}]`;
  }
  const rows = Object.entries(value).map(([name, own]) => `${inner}${JSON.stringify(name)}: ${python(own, depth + 1)},\n`);
  return `{\n${rows.join("")}${outer}}`;
}

function flatPython(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(flatPython).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([name, own]) => `${JSON.stringify(name)}: ${flatPython(own)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}
