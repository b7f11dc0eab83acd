// One digest of everything that the compiled studio is made of. The Python tests compute the same one, so that a change
// of the sources without a build is noticed where no Node is installed.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

const TOP = ["index.html", "package-lock.json", "package.json", "sources.ts", "svelte.config.js", "tsconfig.json", "vite.config.ts"];

/** sha256 over every source file: its path from `root` with slashes, a zero byte, its bytes, a zero byte; by path. */
export function sourcesDigest(root: string): string {
  const below = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"));
  const hash = createHash("sha256");
  for (const path of [...TOP, ...below].sort((a, b) => (a < b ? -1 : 1))) {
    hash.update(path).update("\0").update(readFileSync(join(root, path))).update("\0");
  }
  return hash.digest("hex");
}
