import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

import { sourcesDigest } from "./sources";

const OUT = join(import.meta.dirname, "../deixis/serving/studio/static");
const SERVER = process.env.DEIXIS_SERVER ?? "http://127.0.0.1:8000";

/** Writes which sources the compiled files are made of. */
function digest(): Plugin {
  return {
    name: "sources-digest",
    apply: "build",
    closeBundle() {
      writeFileSync(join(OUT, "sources.sha256"), `${sourcesDigest(import.meta.dirname)}\n`);
    },
  };
}

export default defineConfig({
  // relative addresses: the studio works below any path that a proxy puts before it
  base: "./",
  plugins: [svelte(), digest()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsDir: "studio/assets",
    assetsInlineLimit: 0, // data: addresses would need a wider content security policy
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 800,
  },
  server: { proxy: { "/v1": SERVER, "/studio/api": SERVER } },
});
