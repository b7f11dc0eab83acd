// Which viewer draws what. A view says itself what it is drawn as, so that a new modality may need no new viewer.
import type { Component } from "svelte";

import type { SignalView } from "../api/views";
import type { Entry } from "../conversation/studio.svelte";
import ImageViewer from "./pixels/ImageViewer.svelte";

/** What the toolbar asks of any viewer. */
export interface Viewer {
  zoomBy(factor: number): void;
  fit(): void;
  /** The signal with all regions that are shown, as PNG. */
  drawing(): Promise<Blob | null>;
}

export const viewers: Record<SignalView["drawn_as"], Component<{ entry: Entry }, Viewer>> = {
  pixels: ImageViewer,
} as never;
