import { expect, it } from "vitest";

import { eventData } from "../src/api/sse";

function stream(pieces: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
      controller.close();
    },
  });
}

async function all(pieces: (string | Uint8Array)[]): Promise<string[]> {
  const found: string[] = [];
  for await (const data of eventData(stream(pieces))) found.push(data);
  return found;
}

it.each<[string, (string | Uint8Array)[], string[]]>([
  ["nothing", [], []],
  ["one event", ["data: a\n\n"], ["a"]],
  ["events cut anywhere", ["da", "ta: a\n", "\ndata: b", "\n\n"], ["a", "b"]],
  ["several lines of one event", ["data: a\ndata: b\n\n"], ["a\nb"]],
  ["comments and other fields", [": ping\n\nevent: x\nid: 1\ndata: a\n\n"], ["a"]],
  ["carriage returns", ["data: a\r\n\r\ndata: b\r", "\n\r\n"], ["a", "b"]],
  ["no space behind the colon", ["data:{}\n\n"], ["{}"]],
  ["an end without an empty line", ["data: a"], ["a"]],
  ["a letter cut in two", [new Uint8Array([100, 97, 116, 97, 58, 0xc3]), new Uint8Array([0xa9, 10, 10])], ["é"]],
])("%s", async (_, pieces, expected) => {
  expect(await all(pieces)).toEqual(expected);
});
