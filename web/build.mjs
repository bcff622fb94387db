// Builds the review page into src/shelfwise/review/static, where it is kept, so that nobody needs node to run it.
// The same sources and the same package-lock.json give the same bytes. The digest of both stands in the first line
// of app.js; tests/test_review_page.py works it out again, without node, and so knows whether the bundle is current.

import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "src", "shelfwise", "review", "static");
mkdirSync(out, { recursive: true });

/** SHA-256 over name and bytes of every file that decides how the bundle looks, by name. */
function digest() {
  const files = ["build.mjs", "package-lock.json", "package.json", "tsconfig.json"];
  const walk = (folder) => {
    for (const name of readdirSync(join(here, folder))) {
      const path = `${folder}/${name}`;
      if (statSync(join(here, path)).isDirectory()) walk(path);
      else files.push(path);
    }
  };
  walk("src");
  const hash = createHash("sha256");
  for (const file of files.sort()) hash.update(`${file}\0`).update(readFileSync(join(here, file))).update("\0");
  return hash.digest("hex");
}

/** Some packages name a public server for their debugging tools; the page fetches nothing from anywhere else. */
const noForeignServers = {
  name: "no-foreign-servers",
  setup(building) {
    building.onLoad({ filter: /node_modules\/@(luma|loaders|probe)\.gl\/.*\.js$/ }, ({ path }) => {
      const contents = readFileSync(path, "utf8").replaceAll("https://unpkg.com/", "/static/");
      return { contents, loader: "js" };
    });
  },
};

/** Licences of all packages that are in the bundle. */
function licences(inputs) {
  const names = new Set();
  for (const input of Object.keys(inputs)) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) names.add(found[1]);
  }
  const parts = ["The page contains these packages, unchanged but for bundling (and for addresses of a public server, taken out), under their licences:\n"];
  for (const name of [...names].sort()) {
    const folder = join(here, "node_modules", name);
    const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : `${about.license} (no text in the package)`;
    parts.push(`${"-".repeat(80)}\n${name} ${about.version} (${about.license})\n\n${text}\n`);
  }
  return parts.join("\n");
}

const sources = digest();
const result = await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.tsx" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { "process.env.NODE_ENV": '"production"' },
  banner: { js: `/* Shelfwise review page; sources sha256 ${sources}; see THIRD_PARTY.txt */` },
  plugins: [noForeignServers],
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});
copyFileSync(join(here, "src", "index.html"), join(out, "index.html"));
copyFileSync(join(here, "src", "icon.svg"), join(out, "icon.svg"));
writeFileSync(join(out, "THIRD_PARTY.txt"), licences(result.metafile.inputs));
for (const name of ["app.js", "app.css", "index.html", "icon.svg", "THIRD_PARTY.txt"]) {
  if (!existsSync(join(out, name))) throw new Error(`${name} was not built`);
  console.log(`${name}  ${(statSync(join(out, name)).size / 1024).toFixed(1)} KiB`);
}
