import assert from "node:assert/strict";
import {
  gitFolderName,
  gitRepositoryName,
  parseImageReference,
  RefError,
  splitGitUrl,
  transformGitUrl,
  transformImage,
  transformImageWithoutChecksum,
} from "../../src/refs/mod.ts";
import { Random } from "../fuzz/random.ts";
import { gitUrl, imageReference } from "./support/admission/odd_names.ts";
import {
  askTransform,
  type TransformAnswer,
  type TransformQuestion,
} from "./support/zarf_transform.ts";

/** How many references and URLs are compared. */
const COUNT = 12_000;
/** The longest reference that Holdfast looks at (src/refs/reference.ts). */
const MAX_REFERENCE = 1024;
/** Differences that a failure shows. */
const SHOWN = 10;

const TARGETS = [
  "127.0.0.1:31999",
  "[::1]:31999",
  "zarf-docker-registry.zarf.svc.cluster.local:5000",
  "10.43.0.7:5000",
  "gitlab.com/project",
  "docker.io",
  "Registry",
];

const GIT_SERVERS = [
  "http://zarf-gitea-http.zarf.svc.cluster.local:3000",
  "https://git.example.com/prefix",
  "https://[2001:db8::1]:3000",
  "not a url",
];

/** A question to Zarf, and the same one to Holdfast. */
interface Pair {
  readonly question: TransformQuestion;
  readonly ours: () => unknown;
}

/** What Holdfast says, as Zarf would write it. */
function answerOf(ours: () => unknown): TransformAnswer {
  try {
    return { result: ours() };
  } catch (error) {
    if (error instanceof RefError) return { error: error.message };
    throw error;
  }
}

/** Compares all, but for the words of errors. @returns how many both sides took. */
async function compare(pairs: readonly Pair[]): Promise<number> {
  const answers = await askTransform(pairs.map(({ question }) => question));
  const differences: unknown[] = [];
  let taken = 0;
  for (const [at, { question, ours }] of pairs.entries()) {
    const [mine, theirs] = [answerOf(ours), answers[at] ?? {}];
    const same = theirs.error === undefined
      ? mine.error === undefined && JSON.stringify(mine.result) === JSON.stringify(theirs.result)
      : mine.error !== undefined;
    if (!same) differences.push({ ...question, holdfast: mine, zarf: theirs });
    if (theirs.error === undefined) taken++;
  }
  assert.equal(
    differences.length,
    0,
    differences.slice(0, SHOWN).map((one) => JSON.stringify(one)).join("\n"),
  );
  return taken;
}

/** Zarf's `transform.Image` for a reference. */
function parsedImage(text: string): unknown {
  const { host, name, path, tag = "", digest = "", canonical } = parseImageReference(text);
  const TagOrDigest = digest === "" ? `:${tag}` : `@${digest}`;
  const fields = { Host: host, Name: name, Path: path, Tag: tag, Digest: digest };
  return { ...fields, Reference: canonical, TagOrDigest };
}

function pair(
  name: TransformQuestion["function"],
  given: readonly string[],
  ours: () => unknown,
): Pair {
  return { question: { function: name, arguments: given }, ours };
}

function imagePairs(text: string, target: string): Pair[] {
  return [
    pair("ParseImageRef", [text], () => parsedImage(text)),
    pair("ImageTransformHost", [target, text], () => transformImage(target, text)),
    pair(
      "ImageTransformHostWithoutChecksum",
      [target, text],
      () => transformImageWithoutChecksum(target, text),
    ),
  ];
}

function gitPairs(text: string, base: string): Pair[] {
  const split = () => {
    const { url, ref } = splitGitUrl(text);
    return [url, ref];
  };
  const owner = "zarf-git-user";
  return [
    pair("GitURL", [base, text, owner], () => transformGitUrl(base, text, owner)),
    pair("GitURLtoRepoName", [text], () => gitRepositoryName(text)),
    pair("GitURLtoFolderName", [text], () => gitFolderName(text)),
    pair("GitURLSplitRef", [text], split),
  ];
}

Deno.test("images get the names that Zarf's own code gives them, and the same are refused", async () => {
  const random = new Random("images");
  const pairs = Array.from({ length: COUNT }, () => imageReference(random))
    .filter((text) => text.length <= MAX_REFERENCE)
    .flatMap((text) => imagePairs(text, random.pick(TARGETS)));
  const taken = await compare(pairs) / pairs.length;
  assert.ok(taken > 0.3 && taken < 0.7, `both took ${taken} of all`);
});

Deno.test("git repositories get the names that Zarf's own code gives them", async () => {
  const random = new Random("git repositories");
  const pairs = Array.from({ length: COUNT }, () => gitUrl(random))
    .flatMap((url) => gitPairs(url, random.pick(GIT_SERVERS)));
  const taken = await compare(pairs) / pairs.length;
  assert.ok(taken > 0.3 && taken < 0.9, `both took ${taken} of all`);
});
