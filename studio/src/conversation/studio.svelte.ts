// The state of the studio: signals, what is pointed at, and the conversation about them.
import { type FileObject, sendFile, type SuggestedQuestion, takeSample } from "../api/files";
import { streamAnswer } from "../api/chat";
import { ApiError } from "../api/http";
import { loadedModel, type ModelObject } from "../api/models";
import { signalView, type SignalView } from "../api/views";
import type { Tool } from "../pointing/tools";
import type { Viewer } from "../signals/viewers";
import { freshId, onlyForms, type PlacedRegion, POINTED, type RegionForms } from "../regions/region";
import { messagesOf } from "./messages";
import { Turn } from "./turn.svelte";

/** One signal that is looked at. */
export interface Entry {
  id: string;
  file: FileObject;
  view: SignalView;
  questions: SuggestedQuestion[];
}

const HISTORY = 100; // steps that can be undone

class Studio {
  model = $state.raw<ModelObject | null>(null);
  entries = $state.raw<Entry[]>([]);
  activeId = $state<string | null>(null);
  /** The entry whose parts have all been fetched. */
  drawnId = $state<string | null>(null);
  turns = $state.raw<Turn[]>([]);
  /** Whose regions are drawn beside those of the next question. */
  shownTurn = $state.raw<Turn | null>(null);
  /** Pointed at for the next question, {0}, {1}, ... in this order. */
  drafts = $state.raw<PlacedRegion[]>([]);
  selected = $state<string | null>(null);
  /** Regions lit up on the signal and in the text. */
  lit = $state.raw<string[]>([]);
  text = $state("");
  want = $state<string | null>(null);
  tool = $state<Tool>("look");
  brushPx = $state(18);
  /** Of the signal that is looked at. */
  viewer = $state.raw<Viewer | null>(null);
  /** The instant that viewers of signals in time show; they set it too. */
  timeS = $state(0);
  busy = $state("");
  /** What went wrong, where: "open", "ask", "model". */
  problem = $state.raw<{ at: "open" | "ask" | "model"; message: string; status: number } | null>(null);

  private past: PlacedRegion[][] = [];
  private future: PlacedRegion[][] = [];
  private running: AbortController | null = null;

  active = $derived(this.entries.find((own) => own.id === this.activeId) ?? null);
  isAnswering = $derived(this.turns.at(-1)?.isRunning ?? false);
  /** Files that were asked about, in the order in which the API numbers them. */
  get order(): string[] {
    return this.turns.at(-1)?.order ?? [];
  }

  regionsOf(entry: Entry): PlacedRegion[] {
    const shown = this.shownTurn ? [...this.shownTurn.asked, ...this.shownTurn.regions] : [];
    return [...shown, ...this.drafts].filter((own) => own.entry === entry.id);
  }

  /** The number behind {n} of a region of the next question, -1 for others. */
  draftNumber(id: string): number {
    return this.drafts.findIndex((own) => own.id === id);
  }

  async loadModel(): Promise<void> {
    await this.guarded("model", "", async () => {
      this.model = await loadedModel();
    });
  }

  openFiles(files: Iterable<File>, modality?: string, number?: number): Promise<void> {
    return this.guarded("open", "Reading the file", async () => {
      for (const file of files) await this.add(await sendFile(file, modality, number));
    });
  }

  openSample(id: string): Promise<void> {
    return this.guarded("open", "Making the sample", async () => this.add(await takeSample(id)));
  }

  private async add(file: FileObject): Promise<void> {
    const known = this.entries.find((own) => own.file.id === file.id);
    if (known) {
      this.activeId = known.id;
      return;
    }
    const view = await signalView(file.id);
    const entry = { id: freshId("signal"), file, view, questions: file.questions ?? [] };
    this.entries = [...this.entries, entry];
    this.activate(entry.id);
  }

  /** Fetches what an entry is drawn from. What fails is said above its viewer. */
  async draw(entry: Entry, fetched: () => Promise<void>): Promise<void> {
    this.drawnId = null;
    try {
      await fetched();
      this.drawnId = entry.id;
    } catch (error) {
      this.report("open", error);
    }
  }

  activate(id: string): void {
    this.activeId = id;
    this.tool = "look";
    this.timeS = 0;
    this.selected = null;
  }

  /** Shows the beginning of a region that has a time. */
  focusTime(region: PlacedRegion | undefined): void {
    const start = region?.forms.time_s?.[0] ?? region?.forms.span_s?.[0];
    if (start !== undefined) this.timeS = start;
  }

  /** Takes a signal away that nothing was asked about yet. */
  remove(id: string): void {
    this.entries = this.entries.filter((own) => own.id !== id);
    this.drafts = this.drafts.filter((own) => own.entry !== id);
    if (this.activeId === id) this.activeId = this.entries.at(-1)?.id ?? null;
  }

  /** Begins anew with the same signals. */
  restart(): void {
    this.stop();
    this.turns = [];
    this.shownTurn = null;
    this.lit = [];
    this.problem = null;
  }

  point(entry: string, forms: RegionForms, name = ""): PlacedRegion {
    const region: PlacedRegion = { id: freshId("region"), entry, forms, name, colour: POINTED, by: "person" };
    this.change([...this.drafts, region]);
    this.selected = region.id;
    return region;
  }

  edit(id: string, changes: Partial<Pick<PlacedRegion, "forms" | "name">>): void {
    this.change(this.drafts.map((own) => (own.id === id ? { ...own, ...changes } : own)));
  }

  erase(id: string): void {
    const number = this.draftNumber(id);
    if (number < 0) return;
    // references to the regions behind it count one less
    this.text = this.text
      .replaceAll(`{${number}}`, "")
      .replace(/\{(\d+)\}/g, (_, digits) => `{${Number(digits) > number ? Number(digits) - 1 : digits}}`);
    this.change(this.drafts.filter((own) => own.id !== id));
    if (this.selected === id) this.selected = null;
  }

  private change(next: PlacedRegion[]): void {
    this.past = [...this.past.slice(-HISTORY), this.drafts];
    this.future = [];
    this.drafts = next;
  }

  undo(): void {
    const before = this.past.pop();
    if (!before) return;
    this.future.push(this.drafts);
    this.drafts = before;
  }

  redo(): void {
    const next = this.future.pop();
    if (!next) return;
    this.past.push(this.drafts);
    this.drafts = next;
  }

  suggest(entry: Entry, question: SuggestedQuestion): void {
    this.change(
      question.regions.map((region) => ({
        id: freshId("region"),
        entry: entry.id,
        forms: onlyForms(region),
        name: "",
        colour: POINTED,
        by: "person" as const,
      })),
    );
    this.text = question.text;
  }

  /** Points with the next question at what an answer pointed at. */
  pointAgain(turn: Turn): void {
    const again = turn.regions.filter((own) => own.entry).map(({ entry, forms, name }) => ({ id: freshId("region"), entry, forms, name, colour: POINTED, by: "person" as const }));
    this.change([...this.drafts, ...again]);
  }

  async ask(): Promise<void> {
    const text = this.text.trim();
    if (!text || this.isAnswering || !this.entries.length || !this.model) return;
    const asked = this.order;
    const fresh = this.entries.map((own) => own.id).filter((id) => !asked.includes(id));
    const turn = new Turn(text, this.drafts, fresh, [...asked, ...fresh], this.want);
    const before = this.turns;
    this.turns = [...before, turn];
    this.shownTurn = turn;
    this.problem = null;
    [this.text, this.drafts, this.selected, this.past, this.future] = ["", [], null, [], []];
    this.running = new AbortController();
    try {
      const messages = messagesOf(this.turns, this.entries);
      const body = { model: this.model.id, messages, ...(this.want ? { want: this.want } : {}) };
      for await (const delta of streamAnswer(body, this.running.signal)) turn.receive(delta);
      turn.status = "done";
    } catch (error) {
      const stopped = this.running.signal.aborted;
      if (stopped && (turn.answer.content || !this.turns.includes(turn))) {
        turn.status = "stopped";
        return;
      }
      // the question comes back, so that it can be mended
      this.turns = before;
      this.shownTurn = before.at(-1) ?? null;
      [this.text, this.drafts] = [text, turn.asked];
      if (!stopped) this.report("ask", error);
    }
  }

  stop(): void {
    this.running?.abort();
  }

  private report(at: "open" | "ask" | "model", error: unknown): void {
    const status = error instanceof ApiError ? error.status : 0;
    this.problem = { at, message: error instanceof Error ? error.message : String(error), status };
  }

  private async guarded(at: "open" | "model", doing: string, work: () => Promise<void>): Promise<void> {
    this.busy = doing;
    this.problem = null;
    try {
      await work();
    } catch (error) {
      this.report(at, error);
    } finally {
      this.busy = "";
    }
  }
}

export const studio = new Studio();
