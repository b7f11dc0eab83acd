// Where an image lies on its canvas: screen = image * scale + (x, y), in CSS pixels.
import type { Place } from "../../pointing/tools";

export interface Viewport {
  scale: number;
  x: number;
  y: number;
}

const MAX_SCALE = 64;
const MARGIN_PX = 12;

/** The whole image in the middle of the room. */
export function fitted([width, height]: Place, [roomWidth, roomHeight]: Place): Viewport {
  const scale = Math.max(
    0.001,
    Math.min((roomWidth - 2 * MARGIN_PX) / width, (roomHeight - 2 * MARGIN_PX) / height),
  );
  return { scale, x: (roomWidth - width * scale) / 2, y: (roomHeight - height * scale) / 2 };
}

/** Zoomed so that what lies under a place of the screen stays there; not smaller than the image fits. */
export function zoomedAt(view: Viewport, factor: number, [sx, sy]: Place, least: number): Viewport {
  const scale = Math.min(MAX_SCALE, Math.max(least, view.scale * factor));
  const own = scale / view.scale;
  return { scale, x: sx - (sx - view.x) * own, y: sy - (sy - view.y) * own };
}

export function panned(view: Viewport, dx: number, dy: number): Viewport {
  return { ...view, x: view.x + dx, y: view.y + dy };
}

/** As `view`, so that part of the image stays in sight. */
export function kept(view: Viewport, [width, height]: Place, [roomWidth, roomHeight]: Place): Viewport {
  const some = 48; // CSS pixels that stay visible
  return {
    scale: view.scale,
    x: Math.min(roomWidth - some, Math.max(some - width * view.scale, view.x)),
    y: Math.min(roomHeight - some, Math.max(some - height * view.scale, view.y)),
  };
}

export const toImage = (view: Viewport, [sx, sy]: Place): Place => [(sx - view.x) / view.scale, (sy - view.y) / view.scale];
export const toScreen = (view: Viewport, [x, y]: Place): Place => [x * view.scale + view.x, y * view.scale + view.y];
