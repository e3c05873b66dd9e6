import assert from "node:assert/strict";
import { withDirectory } from "../fakes/testing.ts";
import {
  type BadPackage,
  badPackages,
  fileName,
  type GoodPackage,
  goodPackages,
} from "../zoo/mod.ts";
import { PACKAGES } from "./support/agent.ts";
import { zarfInspect } from "./support/zarf_sign.ts";

const PAGE = new URL("../../docs/zarf-differences.md", import.meta.url);
/** How many of the real zarf run at once; each uses one processor. */
const AT_ONCE = 2;

/** What Holdfast says, as the zoo's own test makes sure, and what zarf says. */
interface Answers {
  readonly file: string;
  /** A reason, or `accepted`. */
  readonly holdfast: string;
  readonly zarf: boolean;
}

async function answersOf(one: BadPackage | GoodPackage, directory: string): Promise<Answers> {
  const file = fileName(one);
  await Deno.mkdir(directory);
  try {
    await Deno.writeFile(`${directory}/${file}`, one.make());
    if (one.key !== undefined) await Deno.writeTextFile(`${directory}/key.pub`, one.key);
    const { ok } = await zarfInspect(`${directory}/${file}`, {
      // Components are unpacked only when somebody wants their files.
      what: /^(good-)?component-/.test(one.name) ? "manifests" : "definition",
      temporary: directory,
      ...(one.key === undefined ? {} : { publicFile: `${directory}/key.pub` }),
    });
    return { file, holdfast: "reason" in one ? one.reason : "accepted", zarf: ok };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Asks for all, some at a time. */
async function ask(
  all: readonly (BadPackage | GoodPackage)[],
  directory: string,
): Promise<Answers[]> {
  const answers: Answers[] = [];
  const queue = all.entries();
  const worker = async () => {
    for (const [at, one] of queue) answers[at] = await answersOf(one, `${directory}/${at}`);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return answers;
}

/** The files that a section of the page lists, each with what is said of it. */
function listed(page: string, heading: string): [file: string, holdfast: string][] {
  const [, section = ""] = page.split(`## ${heading}\n`);
  const [text = ""] = section.split("\n## ");
  return text.split(/\n(?=- )/).flatMap((item) => {
    const [, holdfast, files] = /^- `?(\w+)`?: ((?:`[^`]+`[,\s]*)+)/.exec(item) ?? [];
    const names = files?.matchAll(/`([^`]+)`/g) ?? [];
    return [...names].map(([, file = ""]): [string, string] => [file, holdfast ?? ""]);
  });
}

const sorted = (rows: readonly (readonly string[])[]) => rows.map((row) => row.join(" ")).sort();

Deno.test("the real zarf opens what the page about differences says, and nothing else", async (t) => {
  const page = await Deno.readTextFile(PAGE);
  const zoo = [...badPackages(), ...goodPackages()];
  const answers = await withDirectory((directory) => ask(zoo, directory));
  const refused = answers.filter(({ holdfast }) => holdfast !== "accepted");
  const accepted = answers.filter(({ holdfast }) => holdfast === "accepted");
  const rows = (some: readonly Answers[]) =>
    sorted(some.map(({ file, holdfast }) => [file, holdfast]));

  await t.step("files that only Holdfast refuses", () => {
    const differ = rows(refused.filter(({ zarf }) => zarf));
    assert.deepEqual(sorted(listed(page, "Holdfast refuses, zarf does not")), differ);
  });
  await t.step("files that only zarf refuses", () => {
    const differ = rows(accepted.filter(({ zarf }) => !zarf));
    assert.deepEqual(sorted(listed(page, "zarf refuses, Holdfast does not")), differ);
  });
  await t.step("how many there are", () => {
    const text = page.replaceAll(/\s+/g, " ");
    const both = refused.filter(({ zarf }) => !zarf).length;
    assert.ok(text.includes(`Of ${refused.length} bad packages both refuse ${both}`), `${both}`);
    const fine = accepted.filter(({ zarf }) => zarf).length;
    assert.match(text, new RegExp(`Of ${accepted.length} good ones.*both accept ${fine}\\.`));
  });
});

Deno.test("the real zarf opens its own packages, with the right key too", () =>
  withDirectory(async (temporary) => {
    const names = [...Deno.readDirSync(PACKAGES)].map(({ name }) => name);
    for (const name of names.filter((name) => /\.tar(\.zst)?$/.test(name))) {
      const { ok, text } = await zarfInspect(`${PACKAGES}/${name}`, {
        what: "definition",
        temporary,
      });
      assert.ok(ok, text);
    }
    const file = `${PACKAGES}/zarf-package-app-signed-amd64-1.0.0.tar.zst`;
    const keys = [["app-signed.pub", true], ["zarf-test.pub", false]] as const;
    for (const [key, right] of keys) {
      const publicFile = `${PACKAGES}/${key}`;
      const { ok, text } = await zarfInspect(file, { what: "definition", temporary, publicFile });
      assert.equal(ok, right, text);
    }
  }));
