import type { Verdict } from "./verdict.ts";

/** Whether one part of the agent does its work. */
export interface PartStatus {
  readonly name: string;
  readonly ok: boolean;
  /** One sentence. */
  readonly message: string;
}

/** Everything that the status page and the API show of this node. */
export interface NodeStatus {
  /** The node's name, or nothing while it is not known. */
  readonly node: string;
  readonly version: string;
  readonly parts: readonly PartStatus[];
  readonly packages: readonly Verdict[];
}

/** The status page: plain HTML without scripts, readable on any phone or text browser. */
export function renderPage(status: NodeStatus): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>Holdfast on ${
    escape(status.node || "this node")
  }</title>
<style>
body{font:16px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
.good{color:#176f2c}.bad{color:#b3261e}.busy{color:#8a5a00}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}
.good{color:#6fd08c}.bad{color:#ff8a80}.busy{color:#e0b050}}
</style></head><body>
<h1>Holdfast on ${escape(status.node || "this node")}</h1>
<h2>Packages</h2>
${status.packages.length === 0 ? "<p>No package was dropped yet.</p>" : packagesTable(status)}
<h2>This node</h2>
<table>${status.parts.map(partRow).join("\n")}</table>
<p>holdfast ${escape(status.version)}</p>
</body></html>
`;
}

function packagesTable(status: NodeStatus): string {
  return `<table><tr><th>Package</th><th>Signature</th><th>State</th><th>What to know</th></tr>
${status.packages.map(packageRow).join("\n")}</table>`;
}

function packageRow(verdict: Verdict): string {
  const name = verdict.package === undefined
    ? fileName(verdict.file)
    : `${verdict.package.name} ${verdict.package.version}`;
  const components = verdict.components
    .map((one) => `<br>${escape(`${one.name}: ${one.phase}. ${one.message}`)}`)
    .join("");
  return `<tr><td>${escape(name)}</td><td>${escape(verdict.package?.signature ?? "")}</td>` +
    `<td class="${tone(verdict.phase)}">${verdict.phase}</td>` +
    `<td>${escape(verdict.message)}${progressText(verdict)}${components}</td></tr>`;
}

function progressText({ phase, progress }: Verdict): string {
  if (phase !== "Receiving" || progress.totalBytes === 0) return "";
  return ` (${Math.floor(100 * progress.bytes / progress.totalBytes)} %)`;
}

function partRow(part: PartStatus): string {
  return `<tr><td>${escape(part.name)}</td><td class="${part.ok ? "good" : "bad"}">` +
    `${part.ok ? "ok" : "not ok"}</td><td>${escape(part.message)}</td></tr>`;
}

function tone(phase: Verdict["phase"]): string {
  if (phase === "Ready") return "good";
  return phase === "Rejected" || phase === "Failed" || phase === "RolledBack" ? "bad" : "busy";
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
