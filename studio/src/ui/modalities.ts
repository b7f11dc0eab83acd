// What people call the modalities, and the files that hold them. The server decides what a file is; this is for reading.
export const MODALITY_NAMES: Record<string, string> = {
  image: "images",
  audio: "audio",
  point_cloud: "point clouds",
  video: "videos",
  depth: "depth maps",
  normal: "normal maps",
  imu: "motion traces (IMU)",
  fmri: "fMRI responses",
};

export const FILE_KINDS: Record<string, string> = {
  image: "JPEG, PNG, WebP, …",
  audio: "WAV, FLAC, MP3, …",
  point_cloud: "PLY, PCD, OBJ, NPY, …",
  video: "MP4, WebM, MOV, …",
  depth: "16-bit PNG, NPY",
  normal: "PNG, NPY",
  imu: "CSV, NPY",
  fmri: "NIfTI",
};

export function named(modality: string): string {
  return MODALITY_NAMES[modality] ?? modality.replaceAll("_", " ");
}

/** "a, b and c". */
export function listed(words: string[]): string {
  return words.length < 2 ? (words[0] ?? "nothing") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
