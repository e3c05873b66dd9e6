import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync } from "node:zlib";
import { tarBytes, type TarEntrySpec } from "../fixtures/tar_writer.ts";
import { frame, rawBlock, skippable } from "../zoo/zstd_writer.ts";
import { entriesOf, filesIn, filesOf, realTar, rehash, SPECS } from "./corpus.ts";
import { mutateBytes, TEXTS } from "./mutate.ts";
import type { Random } from "./random.ts";
import { readFuzzed } from "./read.ts";
import { mutateTar } from "./tar_mutator.ts";
import type { Target } from "./target.ts";

const PACKAGES = SPECS.map(entriesOf);
/** Made by the real zarf; without its layer of megabytes. */
const REAL = [
  "zarf-package-test-uncompressed-amd64-0.0.1.tar",
  "zarf-package-app-chart-amd64-1.2.3.tar.zst",
].map((name) => [...filesOf(realTar(name))].filter(([, content]) => content.length < 50_000));

async function readTar(input: Uint8Array): Promise<string> {
  return (await readFuzzed(input, { format: "tar" }))?.reason ?? "accepted";
}

/** The outer archive: every header, name and number of it. */
export const tar: Target = {
  name: "tar",
  generate: (random) => mutateTar(random, random.pick(PACKAGES)),
  run: readTar,
};

/** A component's tar in a package that is right around it. */
export const component: Target = {
  name: "component",
  generate(random) {
    const files = filesIn(random.pick(PACKAGES));
    const content = Buffer.from(`kind: ConfigMap\n`);
    const entries: TarEntrySpec[] = [
      { name: "web", type: "directory" },
      { name: "web/manifests", type: "directory" },
      { name: "web/manifests/web-0.yaml", content },
      { name: "web/link", type: "symlink", linkTarget: "manifests/web-0.yaml" },
    ];
    files.set("components/web.tar", mutateTar(random, entries));
    return tarBytes(rehash(files));
  },
  run: readTar,
};

/** checksums.txt, which zarf.yaml names right. */
export const checksums: Target = {
  name: "checksums",
  generate(random) {
    const files = filesIn(random.pick(PACKAGES));
    return tarBytes(rehash(files, (text) => changeLines(random, text)));
  },
  run: readTar,
};

function changeLines(random: Random, text: string): string {
  const lines = text.split("\n");
  for (let times = 1 + random.length(4); times > 0; times--) {
    const at = random.below(lines.length);
    const line = lines[at] ?? "";
    const [hash = "", path = ""] = line.split(" ");
    const changed = [
      `${hash} ${random.pick(TEXTS)}`,
      `${random.pick(TEXTS)} ${path}`,
      `${hash.toUpperCase()} ${path}`,
      `${hash}  ${path}`,
      `${line}\r`,
      `${line}\n${line}`,
      `${hash} ${path}\n${hash} ${path}/x`,
      "",
      line.slice(1),
    ];
    lines[at] = random.pick(changed);
  }
  const result = lines.join("\n");
  const bytes = random.percent(20) ? mutateBytes(random, Buffer.from(result)) : Buffer.from(result);
  return new TextDecoder().decode(bytes);
}

/** A whole package: files of it are changed, most hashes made right, then the archive is. */
export const archive: Target = {
  name: "archive",
  generate(random) {
    const files = new Map(random.percent(50) ? filesIn(random.pick(PACKAGES)) : random.pick(REAL));
    for (let times = random.length(3); times > 0; times--) {
      const name = random.pick([...files.keys()]);
      files.set(name, mutateBytes(random, files.get(name) ?? new Uint8Array()));
    }
    const entries = random.percent(80)
      ? rehash(files)
      : [...files].map(([name, content]) => ({ name, content }));
    return random.percent(70) ? tarBytes(entries) : mutateTar(random, entries);
  },
  run: readTar,
};

/** Compressed data: frames of every kind around a package that is right. */
export const zstd: Target = {
  name: "zstd",
  generate(random) {
    const plain = tarBytes(random.pick(PACKAGES));
    const parts: Uint8Array[] = [];
    for (let at = 0; at < plain.length;) {
      const end = random.percent(40) ? plain.length : at + 1 + random.length(plain.length - at);
      if (random.percent(20)) parts.push(skippable(random.bytes(random.length(300))));
      if (random.percent(10)) parts.push(anyFrame(random, new Uint8Array()));
      parts.push(anyFrame(random, plain.subarray(at, end)));
      at = end;
    }
    if (random.percent(20)) parts.push(skippable(random.bytes(random.length(300))));
    const broken = parts.map((part) => random.percent(15) ? changeStart(random, part) : part);
    const bytes = Buffer.concat(broken);
    return random.percent(25) ? mutateBytes(random, bytes) : bytes;
  },
  async run(input) {
    const manner = { format: "tar.zst" } as const;
    const refusal = await readFuzzed(input, manner);
    if (refusal !== undefined) return refusal.reason;
    // What was accepted was read to its end: without the last byte it is another file.
    assert.equal((await readFuzzed(input.subarray(0, -1), manner))?.reason, "Truncated");
    return "accepted";
  },
};

function anyFrame(random: Random, content: Uint8Array): Uint8Array {
  if (random.percent(40)) {
    const contentSize = random.percent(50) ? { contentSize: BigInt(content.length) } : {};
    const windowLog = random.pick([10, 17, 20, 26, 27, 31, 41]);
    return frame({ windowLog, ...contentSize }, rawBlock(content, 1 + random.length(120_000)));
  }
  return zstdCompressSync(content, {
    params: {
      [constants.ZSTD_c_compressionLevel]: random.pick([1, 3]),
      [constants.ZSTD_c_checksumFlag]: random.below(2),
      [constants.ZSTD_c_contentSizeFlag]: random.below(2),
      [constants.ZSTD_c_windowLog]: random.pick([10, 14, 17]),
    },
  });
}

/** Changes the frame's header or its first block's. */
function changeStart(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (let times = 1 + random.length(2); times > 0; times--) {
    copy.set(random.bytes(1), random.below(Math.min(18, copy.length)));
  }
  return copy;
}
