// One question and its answer, as the studio keeps them.
import type { AnswerMessage, AnswerRegion, Delta } from "../api/chat";
import { freshId, onlyForms, PALETTE, type PlacedRegion } from "../regions/region";

/** A piece of an answer's text: a phrase with its regions, or the words between phrases. */
export interface Piece {
  text: string;
  regions: PlacedRegion[];
  absent: boolean;
  colour: string | null;
}

export class Turn {
  readonly id = freshId("turn");
  answer = $state.raw<AnswerMessage>({ content: "", regions: [], warnings: [] });
  /** Regions of the answer on the studio's signals; absent ones have none. */
  regions = $state.raw<PlacedRegion[]>([]);
  status = $state<"waiting" | "streaming" | "done" | "stopped" | "failed">("waiting");
  error = $state("");

  /**
   * @param text the question, with {0}, {1} for its regions
   * @param asked the regions that a person pointed at
   * @param files entries that the question brings into the conversation
   * @param order all entries of the conversation so far, in the order in which the API numbers them
   */
  constructor(
    readonly text: string,
    readonly asked: PlacedRegion[],
    readonly files: string[],
    readonly order: string[],
    readonly want: string | null,
  ) {}

  get isRunning(): boolean {
    return this.status === "waiting" || this.status === "streaming";
  }

  /** Adds what came of the answer. */
  receive(delta: Delta): void {
    this.status = "streaming";
    const { content, regions, warnings } = this.answer;
    const added = delta.regions ?? [];
    this.answer = {
      content: content + (delta.content ?? ""),
      regions: [...regions, ...added],
      warnings: delta.warnings ?? warnings,
    };
    if (added.length) this.regions = this.answer.regions.map((region, at) => this.placed(region, at));
  }

  /** The answer's text in pieces. */
  get pieces(): Piece[] {
    return piecesOf(this.answer, this.regions);
  }

  // Regions keep the ids that they had before further ones came, or hovering would lose its region.
  private placed(region: AnswerRegion, at: number): PlacedRegion {
    const known = this.regions[at];
    if (known) return known;
    return {
      id: freshId("answer"),
      entry: region.absent ? "" : (this.order[region.signal ?? 0] ?? ""),
      forms: onlyForms(region),
      name: region.phrase || region.label || "",
      colour: PALETTE[phraseNumber(this.answer.regions, at) % PALETTE.length]!,
      by: "model",
      score: region.score ?? null,
    };
  }
}

/** The number of the phrase that a region belongs to, among the phrases that have regions. */
function phraseNumber(regions: AnswerRegion[], at: number): number {
  const key = (own: AnswerRegion) => `${own.start}:${own.end}`;
  const phrases = [...new Set(regions.filter((own) => !own.absent).map(key))];
  return Math.max(0, phrases.indexOf(key(regions[at]!)));
}

/** An answer's text cut at its phrases. Offsets count code points, as Python does; strings here are UTF-16. */
export function piecesOf(answer: AnswerMessage, placed: PlacedRegion[]): Piece[] {
  const letters = Array.from(answer.content);
  const cut = (from: number, to: number) => letters.slice(from, to).join("");
  const pieces: Piece[] = [];
  let done = 0;
  const order = answer.regions.map((region, at) => ({ region, at })).sort((a, b) => a.region.start - b.region.start);
  for (const { region, at } of order) {
    const last = pieces.at(-1);
    const own = placed[at];
    if (last && (last.regions.length || last.absent) && region.end === done && region.start < done) {
      if (own && !region.absent) last.regions.push(own); // another region of the same phrase
      continue;
    }
    if (region.start < done) continue;
    if (region.start > done) pieces.push({ text: cut(done, region.start), regions: [], absent: false, colour: null });
    const absent = region.absent === true;
    pieces.push({
      text: cut(region.start, region.end),
      regions: own && !absent ? [own] : [],
      absent,
      colour: absent ? null : (own?.colour ?? null),
    });
    done = region.end;
  }
  if (done < letters.length) pieces.push({ text: cut(done, letters.length), regions: [], absent: false, colour: null });
  return pieces;
}
