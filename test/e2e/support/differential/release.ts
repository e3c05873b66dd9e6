import { gunzipSync } from "node:zlib";
import { loadAll, YAML11_SCHEMA } from "js-yaml";

type Json = Record<string, unknown>;

/** A Helm release as its Secret has it, with the manifest's objects in place of its text. */
export function releaseOf(secret: string): Json {
  const bytes = gunzipSync(Uint8Array.fromBase64(secret));
  const { chart, manifest, hooks, ...rest } = JSON.parse(new TextDecoder().decode(bytes));
  return {
    ...rest,
    chart: chartOf(chart),
    manifest: documents(manifest).map(({ source, object }) => ({ source, object })),
    hooks: (hooks ?? []).map((hook: Json) => ({
      ...hook,
      manifest: documents(String(hook["manifest"])),
    })),
  };
}

interface Chart {
  readonly metadata: { readonly name: string };
  readonly templates?: readonly { readonly name: string; readonly data: string }[];
}

/** A chart with the texts of its templates; those of raw manifests are what they print. */
function chartOf(chart: Chart): Json {
  const raw = chart.metadata.name.startsWith("raw-");
  const templates = (chart.templates ?? []).map(({ name, data }) => {
    const text = new TextDecoder().decode(Uint8Array.fromBase64(data));
    return { name, text: raw ? printed(text) : text };
  });
  return { ...chart, templates, modtime: "<time>" };
}

/** What `{{"…"}}` prints: Go and JSON write the same string in other ways. */
function printed(template: string): string {
  const quoted = template.slice(2, -2)
    .replaceAll(/\\x([0-9a-f]{2})/g, "\\u00$1").replaceAll("\\a", "\\u0007");
  return JSON.parse(quoted);
}

interface Document {
  readonly source: string;
  readonly object: unknown;
}

function documents(text = ""): Document[] {
  return text.split(/^---$/m).flatMap((part) => {
    const [, source = ""] = /^# Source: (.*)$/m.exec(part) ?? [];
    // Go writes the tag of a merge key, which this reader knows without only.
    return loadAll(part.replaceAll("!!merge <<", "<<"), { schema: YAML11_SCHEMA, json: true })
      .filter((object) => object !== undefined && object !== null)
      .map((object) => ({ source, object }));
  });
}
