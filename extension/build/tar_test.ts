import assert from "node:assert/strict";
import { tar, type TarEntry, TarError } from "./tar.ts";

/** Lists or unpacks with the system's tar, so that our writer is judged by somebody else's reader. */
async function systemTar(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("tar", { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

async function withArchive(
  entries: TarEntry[],
  see: (file: string, directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${directory}/a.tar`, ReadableStream.from(tar(entries)));
    await see(`${directory}/a.tar`, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function bytesOf(entries: TarEntry[]): Promise<Uint8Array> {
  return new Uint8Array(await new Response(ReadableStream.from(tar(entries))).arrayBuffer());
}

Deno.test("the system's tar lists modes, owners, sizes, links and parents", () =>
  withArchive([
    { path: "etc/app/config.yml", content: "a: 1\n" },
    { path: "bin/tool", content: "#!", mode: 0o755 },
    { path: "bin/alias", symlink: "tool" },
    { path: "var/data", directory: true, mode: 0o700, uid: 1000, gid: 1001 },
  ], async (file) => {
    const listed = await systemTar(["--numeric-owner", "--utc", "--full-time", "-tvf", file]);
    const rows = listed.trimEnd().split("\n").map((line) => line.replaceAll(/ +/g, " "));
    assert.deepEqual(rows, [
      "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 bin/",
      "lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 bin/alias -> tool",
      "-rwxr-xr-x 0/0 2 1970-01-01 00:00:00 bin/tool",
      "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 etc/",
      "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 etc/app/",
      "-rw-r--r-- 0/0 5 1970-01-01 00:00:00 etc/app/config.yml",
      "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 var/",
      "drwx------ 1000/1001 0 1970-01-01 00:00:00 var/data/",
    ]);
  }));

for (const size of [0, 1, 511, 512, 513, (1 << 20) - 1, 1 << 20, 3 * (1 << 20) + 7]) {
  Deno.test(`a file of ${size} bytes comes back unchanged, from memory and from disk`, async () => {
    const content = new Uint8Array(size).map((_, at) => at * 31 % 251);
    const source = await Deno.makeTempFile();
    try {
      await Deno.writeFile(source, content);
      await withArchive([
        { path: "disk", file: source },
        { path: "memory", content },
        { path: "zlast", content: "end" },
      ], async (file, directory) => {
        await systemTar(["-xf", file, "-C", directory]);
        assert.deepEqual(await Deno.readFile(`${directory}/disk`), content);
        assert.deepEqual(await Deno.readFile(`${directory}/memory`), content);
        assert.equal(await Deno.readTextFile(`${directory}/zlast`), "end");
        assert.equal((await Deno.stat(file)).size % 512, 0);
      });
    } finally {
      await Deno.remove(source);
    }
  });
}

Deno.test("the order in which entries are given does not change the bytes", async () => {
  const entries: TarEntry[] = [
    { path: "b", content: "2" },
    { path: "a/c", content: "3" },
    { path: "a", directory: true },
  ];
  assert.deepEqual(await bytesOf(entries), await bytesOf(entries.toReversed()));
});

Deno.test("a path given twice is written once, the last one", () =>
  withArchive([{ path: "f", content: "old" }, { path: "f", content: "new" }], async (file) => {
    assert.equal(await systemTar(["-tf", file]), "f\n");
    assert.equal(await systemTar(["-xOf", file, "f"]), "new");
  }));

Deno.test("paths of up to 255 bytes are split between name and prefix", async () => {
  const longest = `${"p".repeat(60)}/${"q".repeat(90)}/${"r".repeat(100)}`;
  await withArchive([{ path: longest, content: "x" }], async (file) => {
    assert.ok((await systemTar(["-tf", file])).endsWith(`${longest}\n`));
    assert.equal(await systemTar(["-xOf", file, longest]), "x");
  });
});

const refused: { name: string; entry: TarEntry; reason: string }[] = [
  { name: "an absolute path", entry: { path: "/etc/x", content: "" }, reason: "BadPath" },
  { name: "a path that leaves", entry: { path: "a/../../x", content: "" }, reason: "BadPath" },
  { name: "a dot part", entry: { path: "./x", content: "" }, reason: "BadPath" },
  { name: "an empty part", entry: { path: "a//x", content: "" }, reason: "BadPath" },
  { name: "an empty path", entry: { path: "", content: "" }, reason: "BadPath" },
  {
    name: "a name of 101 bytes without a slash",
    entry: { path: "n".repeat(101), content: "" },
    reason: "PathTooLong",
  },
  {
    name: "a prefix of 156 bytes",
    entry: { path: `${"p".repeat(156)}/n`, content: "" },
    reason: "PathTooLong",
  },
  {
    name: "a link target of 101 bytes",
    entry: { path: "l", symlink: "t".repeat(101) },
    reason: "PathTooLong",
  },
];
for (const { name, entry, reason } of refused) {
  Deno.test(`${name} is refused`, async () => {
    await assert.rejects(
      bytesOf([entry]),
      (error) => error instanceof TarError && error.reason === reason,
    );
  });
}

Deno.test("a source file that is missing is the file system's own error", async () => {
  await assert.rejects(
    bytesOf([{ path: "x", file: "does/not/exist" }]),
    Deno.errors.NotFound,
  );
});
