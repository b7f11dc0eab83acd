// The regions of a signal as viewers draw them.
import { studio, type Entry } from "../conversation/studio.svelte";
import { holdsAt } from "../regions/region";
import type { Shown } from "./pixels/draw";

/** Those that hold at an instant; null: all. A question's regions are called by their number, an answer's by phrase. */
export function shownRegions(entry: Entry, timeS: number | null = null): Shown[] {
  const own = studio.regionsOf(entry).filter((region) => holdsAt(region.forms, timeS));
  const anyLit = own.some((region) => studio.lit.includes(region.id));
  return own.map((region) => {
    const number = studio.draftNumber(region.id);
    const asked = studio.shownTurn?.asked.findIndex((other) => other.id === region.id) ?? -1;
    const at = number >= 0 ? number : asked;
    const lit = studio.lit.includes(region.id);
    return {
      region,
      label: region.name || (at >= 0 ? `{${at}}` : ""),
      lit,
      faint: anyLit && !lit,
      selected: region.id === studio.selected,
      editable: number >= 0,
    };
  });
}
