import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

import { sourcesDigest } from "./sources.ts";

const OUT = join(import.meta.dirname, "../deixis/serving/studio/static");
const ASSETS = "studio/assets";
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

/** Puts the licences of all packages that are part of the compiled files beside them. */
function licenses(): Plugin {
  return {
    name: "licenses",
    apply: "build",
    generateBundle() {
      const folders = [...this.getModuleIds()].map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0]);
      const texts = [...new Set(folders)].sort().flatMap((folder) => {
        const name = folder && readdirSync(folder).find((own) => /^licen[cs]e/i.test(own));
        return name ? [`${folder.split("/node_modules/").at(-1)}\n\n${readFileSync(join(folder, name), "utf8").trim()}\n`] : [];
      });
      this.emitFile({ type: "asset", fileName: `${ASSETS}/licenses.txt`, source: texts.join("\n\n") });
    },
  };
}

export default defineConfig({
  // relative addresses: the studio works below any path that a proxy puts before it
  base: "./",
  plugins: [svelte(), licenses(), digest()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsDir: ASSETS,
    assetsInlineLimit: 0, // data: addresses would need a wider content security policy
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 800,
  },
  server: { proxy: { "/v1": SERVER, "/studio/api": SERVER } },
});
