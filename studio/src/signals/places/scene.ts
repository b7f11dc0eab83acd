// A point cloud in three.js: turned, zoomed, coloured, and projected to the screen. Up is +z.
import {
  BufferAttribute,
  BufferGeometry,
  CanvasTexture,
  LineBasicMaterial,
  LineSegments,
  PerspectiveCamera,
  Points,
  PointsMaterial,
  Scene,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

import type { Place } from "../../pointing/tools";
import { isInside } from "../../regions/edit";

const AZIMUTH = (-52 * Math.PI) / 180;
const ELEVATION = (34 * Math.PI) / 180;
const DISTANCE = 1.9; // of the eye from the middle, in sides of the cloud's cube
const FIELD_DEG = 40;
const SIZE = 1.15; // of a point, in mean distances between points on a surface
const TURN = 0.12; // radians of an arrow key
const BEHIND = 0.03; // of the side: what lies so far behind the front is hidden
const CELL_PX = 9; // of the coarse depth buffer that tells what is in front

export class CloudScene {
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  readonly camera = new PerspectiveCamera(FIELD_DEG, 1, 0.01, 100);
  readonly controls: OrbitControls;
  private readonly colours: BufferAttribute;
  private readonly middle: Vector3;
  readonly side: number;
  private lines: LineSegments | null = null;
  private room: Place = [1, 1];
  private isQueued = false;

  /** @param xyz three numbers a point. @param drawn called after each frame, to draw over it. */
  constructor(
    readonly canvas: HTMLCanvasElement,
    readonly xyz: ArrayLike<number>,
    private readonly drawn: () => void,
  ) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true, preserveDrawingBuffer: true });
    const lows = [Infinity, Infinity, Infinity];
    const highs = [-Infinity, -Infinity, -Infinity];
    for (let at = 0; at < xyz.length; at += 1) {
      lows[at % 3] = Math.min(lows[at % 3]!, xyz[at]!);
      highs[at % 3] = Math.max(highs[at % 3]!, xyz[at]!);
    }
    this.middle = new Vector3(...lows.map((low, axis) => (low + highs[axis]!) / 2));
    this.side = Math.max(...highs.map((high, axis) => high - lows[axis]!), 1e-9);
    const geometry = new BufferGeometry();
    // in sides of the cube around the middle: coordinates far from 0 lose no precision
    const unit = Float32Array.from(xyz, (value, at) => (value - this.middle.getComponent(at % 3)) / this.side);
    geometry.setAttribute("position", new BufferAttribute(unit, 3));
    this.colours = new BufferAttribute(new Float32Array(xyz.length), 3);
    geometry.setAttribute("color", this.colours);
    const size = Math.min(0.06, Math.max(0.003, SIZE * Math.sqrt(2 / Math.max(1, xyz.length / 3))));
    this.scene.add(new Points(geometry, discMaterial(size)));
    this.camera.up.set(0, 0, 1);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.addEventListener("change", () => this.render());
    this.reset();
  }

  get count(): number {
    return this.xyz.length / 3;
  }

  reset(): void {
    this.camera.position.set(
      DISTANCE * Math.cos(AZIMUTH) * Math.cos(ELEVATION),
      DISTANCE * Math.sin(AZIMUTH) * Math.cos(ELEVATION),
      DISTANCE * Math.sin(ELEVATION),
    );
    this.controls.target.set(0, 0, 0);
    this.controls.update();
    this.render();
  }

  zoom(factor: number): void {
    const offset = this.camera.position.clone().sub(this.controls.target);
    this.camera.position.copy(this.controls.target).add(offset.divideScalar(factor));
    this.controls.update();
    this.render();
  }

  /** Turns the cloud by steps to the right and upwards. */
  turn(right: number, up: number): void {
    const offset = this.camera.position.clone().sub(this.controls.target);
    const radius = offset.length();
    const azimuth = Math.atan2(offset.y, offset.x) - right * TURN;
    const elevation = Math.min(1.5, Math.max(-1.5, Math.asin(offset.z / radius) + up * TURN));
    offset.set(Math.cos(azimuth) * Math.cos(elevation), Math.sin(azimuth) * Math.cos(elevation), Math.sin(elevation));
    this.camera.position.copy(this.controls.target).add(offset.multiplyScalar(radius));
    this.controls.update();
    this.render();
  }

  resize([width, height]: Place): void {
    this.room = [width, height];
    this.renderer.setPixelRatio(window.devicePixelRatio || 1);
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / Math.max(1, height);
    this.camera.updateProjectionMatrix();
    this.render();
  }

  /** Colours of all points, three numbers in [0, 1] each. */
  paint(colours: Float32Array): void {
    // three.js takes linear light, colours are sRGB
    const linear = this.colours.array as Float32Array;
    colours.forEach((value, at) => (linear[at] = value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    this.colours.needsUpdate = true;
    this.render();
  }

  /** Draws the edges of boxes, x1, y1, z1, x2, y2, z2 in the cloud's units, each in a colour "#rrggbb". */
  showBoxes(boxes: readonly { box: readonly number[]; colour: string }[]): void {
    if (this.lines) {
      this.scene.remove(this.lines);
      this.lines.geometry.dispose();
    }
    const places: number[] = [];
    const colours: number[] = [];
    for (const { box, colour } of boxes) {
      const rgb = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2);
      for (const [a, b] of EDGES) {
        for (const corner of [a, b]) {
          [0, 1, 2].forEach((axis) => {
            const value = box[(corner >> axis) & 1 ? axis + 3 : axis]!;
            places.push((value - this.middle.getComponent(axis)) / this.side);
          });
          colours.push(...rgb);
        }
      }
    }
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new BufferAttribute(new Float32Array(places), 3));
    geometry.setAttribute("color", new BufferAttribute(new Float32Array(colours), 3));
    this.lines = new LineSegments(geometry, new LineBasicMaterial({ vertexColors: true }));
    this.scene.add(this.lines);
    this.render();
  }

  /** Where a place of the cloud is on the screen, and how far it is. */
  project(place: readonly number[]): { at: Place; depth: number } {
    const own = new Vector3(...place).sub(this.middle).divideScalar(this.side);
    const depth = own.distanceTo(this.camera.position);
    own.project(this.camera);
    return { at: [((own.x + 1) / 2) * this.room[0], ((1 - own.y) / 2) * this.room[1]], depth };
  }

  /** The index of the nearest point within `reach` pixels of a place on the screen; null where there is none. */
  pick([sx, sy]: Place, reach: number): number | null {
    const screen = this.projected();
    let best: number | null = null;
    let nearest = Infinity;
    for (let at = 0; at < this.count; at += 1) {
      const distance = Math.hypot(screen[3 * at]! - sx, screen[3 * at + 1]! - sy);
      // of points under the finger the one in front, and of those in front the closest
      const cost = screen[3 * at + 2]! + (distance / reach) * 0.05;
      if (distance <= reach && cost < nearest) [best, nearest] = [at, cost];
    }
    return best;
  }

  /** Indices of the points within an outline on the screen; hidden ones only where `through`. */
  within(outline: Place[], through: boolean): number[] {
    const screen = this.projected();
    const fronts = new Map<number, number>();
    const cell = (at: number) => Math.floor(screen[3 * at]! / CELL_PX) * 100_000 + Math.floor(screen[3 * at + 1]! / CELL_PX);
    for (let at = 0; at < this.count; at += 1) {
      fronts.set(cell(at), Math.min(fronts.get(cell(at)) ?? Infinity, screen[3 * at + 2]!));
    }
    const found: number[] = [];
    for (let at = 0; at < this.count; at += 1) {
      const visible = through || screen[3 * at + 2]! <= fronts.get(cell(at))! + BEHIND;
      if (visible && isInside([screen[3 * at]!, screen[3 * at + 1]!], outline)) found.push(at);
    }
    return found;
  }

  /** Screen x, y and depth of every point; behind the eye, far away. */
  private projected(): Float32Array {
    const screen = new Float32Array(this.xyz.length);
    const matrix = this.camera.projectionMatrix.clone().multiply(this.camera.matrixWorldInverse).elements;
    const [mx, my, mz] = this.middle.toArray();
    for (let at = 0; at < this.xyz.length; at += 3) {
      const [x, y, z] = [(this.xyz[at]! - mx) / this.side, (this.xyz[at + 1]! - my) / this.side, (this.xyz[at + 2]! - mz) / this.side];
      const w = matrix[3]! * x + matrix[7]! * y + matrix[11]! * z + matrix[15]!;
      const [px, py] = [0, 1].map((row) => (matrix[row]! * x + matrix[row + 4]! * y + matrix[row + 8]! * z + matrix[row + 12]!) / w) as [number, number];
      screen[at] = w > 0 ? ((px + 1) / 2) * this.room[0] : -1e6;
      screen[at + 1] = ((1 - py) / 2) * this.room[1];
      screen[at + 2] = w > 0 ? w : 1e6;
    }
    return screen;
  }

  render(): void {
    if (this.isQueued) return;
    this.isQueued = true;
    requestAnimationFrame(() => {
      this.isQueued = false;
      this.renderer.render(this.scene, this.camera);
      this.drawn();
    });
  }

  close(): void {
    this.controls.dispose();
    this.renderer.dispose();
  }
}

/** The twelve edges of a box, as pairs of corners 0 to 7, bit i of a corner for the high side of axis i. */
const EDGES = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((a) => [1, 2, 4].filter((bit) => !(a & bit)).map((bit) => [a, a | bit] as const));

/** Points as discs, a little darker at the rim, so that surfaces look solid. */
function discMaterial(size: number): PointsMaterial {
  const side = 64;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const ctx = canvas.getContext("2d")!;
  const shade = ctx.createRadialGradient(side / 2, side / 2, 0, side / 2, side / 2, side / 2);
  shade.addColorStop(0, "#fff");
  shade.addColorStop(1, "#b4b4b4");
  ctx.fillStyle = shade;
  ctx.beginPath();
  ctx.arc(side / 2, side / 2, side / 2 - 1, 0, 2 * Math.PI);
  ctx.fill();
  return new PointsMaterial({ size, vertexColors: true, map: new CanvasTexture(canvas), alphaTest: 0.4, alphaToCoverage: true });
}
