// Which viewer draws what. A view says itself what it is drawn as, so that a new modality may need no new viewer.
import type { Component } from "svelte";

import type { SignalView } from "../api/views";
import type { Entry } from "../conversation/studio.svelte";
import ImageViewer from "./pixels/ImageViewer.svelte";
import CloudViewer from "./places/CloudViewer.svelte";
import NumberViewer from "./places/NumberViewer.svelte";
import VoxelViewer from "./places/VoxelViewer.svelte";
import AudioViewer from "./time/AudioViewer.svelte";
import CurveViewer from "./time/CurveViewer.svelte";
import VideoViewer from "./time/VideoViewer.svelte";

/** What the toolbar, and who stores a drawing, ask of any viewer. */
export interface Viewer {
  zoomBy(factor: number): void;
  fit(): void;
  /** The signal with all regions that are shown, as PNG. */
  drawing(): Promise<Blob | null>;
}

export const viewers: Record<SignalView["drawn_as"], Component<{ entry: Entry }, Viewer>> = {
  pixels: ImageViewer,
  frames: VideoViewer,
  waveform: AudioViewer,
  curves: CurveViewer,
  points: CloudViewer,
  voxels: VoxelViewer,
  numbers: NumberViewer,
};
