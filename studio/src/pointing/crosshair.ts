// A pen for the keyboard: arrows move a crosshair, space puts the pen down and lifts it. So every tool that is drawn with
// a pointer is drawn with keys too.
import { clamp, type Place } from "./tools";

export interface Pen {
  press(at: Place): void;
  move(at: Place): void;
  release(): void;
  cancel(): void;
}

const STEP_PX = 8;
const FINE_PX = 1;
const COARSE_PX = 48;
const ARROWS: Record<string, Place> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export const KEYBOARD_HELP =
  "While looking at a point cloud, arrow keys turn it. With a tool, arrow keys move the crosshair, with Shift far, with Alt by one pixel. Space or Enter puts the pen down and lifts it. " +
  "Escape drops what is drawn. Plus and minus zoom, 0 shows all. Delete removes the chosen region, Control Z undoes.";

export class Crosshair {
  at: Place | null = null;
  isDown = false;

  constructor(
    private readonly pen: Pen,
    private readonly room: () => Place,
  ) {}

  /** Whether the key was one of its own. */
  key(event: KeyboardEvent): boolean {
    const arrow = ARROWS[event.key];
    if (arrow && !event.ctrlKey && !event.metaKey) {
      const step = event.shiftKey ? COARSE_PX : event.altKey ? FINE_PX : STEP_PX;
      const [width, height] = this.room();
      const [x, y] = this.at ?? [width / 2, height / 2];
      this.at = [clamp(x + arrow[0] * step, 0, width), clamp(y + arrow[1] * step, 0, height)];
      this.pen.move(this.at);
      return true;
    }
    if (event.key === " " || event.key === "Enter") {
      this.at ??= this.room().map((side) => side / 2) as Place;
      if (this.isDown) this.pen.release();
      else this.pen.press(this.at);
      this.isDown = !this.isDown;
      return true;
    }
    if (event.key === "Escape" && this.isDown) {
      this.isDown = false;
      this.pen.cancel();
      return true;
    }
    return false;
  }
}
