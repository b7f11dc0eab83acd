import { describe, expect, it } from "vitest";

import { piecesOf, Turn } from "../src/conversation/turn.svelte";
import { pythonSnippet, curlSnippet } from "../src/conversation/snippets";
import { messagesOf } from "../src/conversation/messages";
import type { Entry } from "../src/conversation/studio.svelte";

const answered = () => {
  const turn = new Turn("Where is it?", [], ["signal-1"], ["signal-1"], null);
  turn.receive({ content: "A mug" });
  turn.receive({ regions: [{ signal: 0, box_xyxy: [1, 2, 3, 4], phrase: "A mug", start: 0, end: 5 }] });
  turn.receive({ content: " and no lamp." });
  turn.receive({ regions: [{ phrase: "lamp", start: 13, end: 17, absent: true }], warnings: ["It is blurred."] });
  turn.status = "done";
  return turn;
};

describe("an answer", () => {
  it("is cut at its phrases", () => {
    expect(answered().pieces.map((own) => [own.text, own.regions.length, own.absent])).toEqual([
      ["A mug", 1, false],
      [" and no ", 0, false],
      ["lamp", 0, true],
      [".", 0, false],
    ]);
  });

  it("keeps its warnings, and the ids of its regions while more come", () => {
    const turn = answered();
    expect(turn.answer.warnings).toEqual(["It is blurred."]);
    const [first] = turn.regions;
    turn.receive({ regions: [{ signal: 0, point: [1, 2], phrase: ".", start: 17, end: 18 }] });
    expect(turn.regions[0]).toBe(first);
  });

  it("has phrases of several regions, in one colour", () => {
    const turn = new Turn("", [], [], ["a", "b"], null);
    const said = { phrase: "mugs", start: 0, end: 4 };
    turn.receive({ content: "mugs", regions: [{ signal: 0, point: [1, 1], ...said }, { signal: 1, point: [2, 2], ...said }] });
    expect(turn.pieces).toHaveLength(1);
    expect(turn.pieces[0]!.regions.map((own) => own.entry)).toEqual(["a", "b"]);
    expect(new Set(turn.regions.map((own) => own.colour)).size).toBe(1);
  });

  it("counts code points, as the server does", () => {
    const answer = { content: "🫖 pot", regions: [{ point: [1, 1], phrase: "pot", start: 2, end: 5 }], warnings: [] };
    expect(piecesOf(answer, []).map((own) => own.text)).toEqual(["🫖 ", "pot"]);
  });
});

describe("the conversation", () => {
  const entries = [{ id: "signal-1", file: { id: "file-1", filename: "it's.png" }, view: { modality: "image" } }] as unknown as Entry[];
  const asked = { id: "r", entry: "signal-1", forms: { box_xyxy: [1, 2, 3, 4] as [number, number, number, number] }, name: "", colour: "#ffffff", by: "person" as const };
  const turns = () => [answered(), new Turn("And {0}?", [asked], [], ["signal-1"], "box")];

  it("is sent with earlier answers and their regions", () => {
    const [first, second, third] = messagesOf(turns(), entries);
    expect(first!.content).toEqual([{ type: "file", file: { file_id: "file-1" } }, { type: "text", text: "Where is it?" }]);
    expect(second).toMatchObject({ role: "assistant", content: "A mug and no lamp.", regions: [{ start: 0 }, { absent: true }] });
    expect(third!.content).toEqual([{ type: "region", signal: 0, box_xyxy: [1, 2, 3, 4] }, { type: "text", text: "And {0}?" }]);
  });

  it("is written for programs", () => {
    const own = { model: "m", turns: turns(), entries, server: "http://localhost:8000/" };
    const python = pythonSnippet(own);
    expect(python).toContain('client.files.create(file=Path("it\'s.png")');
    expect(python).toContain("file_0.id");
    expect(python).toContain('extra_body={"want": "box"}');
    expect(python).not.toContain("file-1");
    expect(python).toContain('"absent": True');
    const curl = curlSnippet(own);
    expect(curl).toContain(`'file=@it'\\''s.png'`);
    expect(curl).toContain(`'"$FILE_0"'`);
  });
});
