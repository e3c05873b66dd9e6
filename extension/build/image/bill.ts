import { DENO_VERSION } from "../deno_version.ts";
import { REPOSITORY_ROOT, TOOLS } from "../go_tools.ts";
import type { Ingredients, Part } from "./contents.ts";
import { debianPackages, type LicensedComponent } from "./debian.ts";
import { goPackages } from "./go_packages.ts";
import { npmPackages } from "./npm_packages.ts";
import { type Component, spdxDocument } from "./spdx.ts";

/** What a bill of materials is drawn up from. */
export interface BillOptions {
  readonly version: string;
  /** Directory of the bundle that the agent was compiled from. */
  readonly bundle: string;
  /** The registry's program, which the seed image holds. */
  readonly registry: string;
}

/** What is in an image, and under which terms. */
export interface Bill {
  /** SPDX 2.3, JSON. */
  readonly spdx: string;
  /** The same with nothing but what the whole is called. */
  readonly summary: string;
  /** Texts by the names of the files that they are to be in. */
  readonly notices: readonly { readonly name: string; readonly text: string }[];
}

/** Deno's runtime, which the agent is appended to. */
const DENO: Component = {
  name: "Deno",
  version: DENO_VERSION,
  purl: `pkg:github/denoland/deno@v${DENO_VERSION}`,
  license: "MIT",
  comment: "the base binary of `deno compile`, with V8 and the crates that Deno names itself",
};

/** Draws up what is in `parts`. */
export async function billOf(
  parts: readonly Part[],
  options: BillOptions & Pick<Ingredients, "helm" | "root">,
): Promise<Bill> {
  const files = parts.flatMap(({ fromPackages = [] }) => fromPackages);
  const debian = await debianPackages(files, options.root);
  const npm = await npmPackages(options.bundle);
  const go = unique([
    ...await goPackages(options.helm, TOOLS.helm),
    ...await goPackages(options.registry, TOOLS.registry),
  ]);
  const own = await Deno.readTextFile(`${REPOSITORY_ROOT}/LICENSE`);
  const deno = await Deno.readTextFile(`${REPOSITORY_ROOT}/extension/licences/deno.txt`);
  const subject = { name: "holdfast", version: options.version, license: "Apache-2.0" };
  return {
    spdx: spdxDocument(subject, [DENO, ...debian, ...npm, ...go]),
    summary: spdxDocument(subject, []),
    notices: [
      { name: "LICENSE", text: own },
      { name: "deno.txt", text: noticeText([{ ...DENO, notice: deno }]) },
      { name: "debian.txt", text: noticeText(debian) },
      { name: "npm.txt", text: noticeText(npm) },
      { name: "go.txt", text: noticeText(go) },
    ],
  };
}

function unique(components: readonly LicensedComponent[]): LicensedComponent[] {
  return [...new Map(components.map((each) => [each.purl, each])).values()];
}

/** Each text once, below the names of those that come under it. */
export function noticeText(components: readonly LicensedComponent[]): string {
  const byText = Map.groupBy(components, ({ notice }) => notice);
  return [...byText].map(([text, under]) => {
    const names = under.map(({ name, version }) => `${name} ${version}\n`).sort().join("");
    return `${names}\n${text.trim()}\n`;
  }).sort().join(`\n${"-".repeat(72)}\n\n`);
}
