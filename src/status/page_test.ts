import assert from "node:assert/strict";
import { verdict as readyVerdict, WEB } from "../../test/fakes/verdicts.ts";
import { type NodeStatus, renderPage } from "./page.ts";
import type { PackagePhase, Verdict } from "./verdict.ts";

/** Of a file whose definition was not read. */
function verdict(change: Partial<Verdict> = {}): Verdict {
  const { package: _, ...unread } = readyVerdict({ file: "/drop/usb/web.tar.zst" });
  return { ...unread, ...change };
}

function page(change: Partial<NodeStatus> = {}): string {
  return renderPage({ node: "node-1", version: "1.2.3", parts: [], packages: [], ...change });
}

/** The cells of the first package's row, without their tags. */
function cells(change: Partial<Verdict>): string[] {
  const row = /<\/tr>\n(<tr>.*<\/tr>)/.exec(page({ packages: [verdict(change)] }))?.[1] ?? "";
  return [...row.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(([, cell = ""]) => cell);
}

Deno.test("a file whose definition was not read is shown by its name", () => {
  assert.deepEqual(cells({}), ["web.tar.zst", "", "Ready", "everything runs"]);
  assert.equal(cells({ file: "plain.tar" })[0], "plain.tar");
});

Deno.test("a package is shown by its name, version and signature", () => {
  assert.deepEqual(cells({ package: WEB }).slice(0, 2), ["web 1.0.0", "Unsigned"]);
});

for (
  const [phase, tone] of [
    ["Receiving", "busy"],
    ["Accepted", "busy"],
    ["Deploying", "busy"],
    ["Superseded", "busy"],
    ["Ready", "good"],
    ["Rejected", "bad"],
    ["Failed", "bad"],
    ["RolledBack", "bad"],
  ] as const satisfies readonly (readonly [PackagePhase, string])[]
) {
  Deno.test(`the phase ${phase} looks ${tone}`, () => {
    assert.ok(
      page({ packages: [verdict({ phase })] }).includes(`<td class="${tone}">${phase}</td>`),
    );
  });
}

for (
  const [phase, bytes, totalBytes, text] of [
    ["Receiving", 0, 10, " (0 %)"],
    ["Receiving", 1, 3, " (33 %)"],
    ["Receiving", 999, 1_000, " (99 %)"],
    ["Receiving", 10, 10, " (100 %)"],
    ["Receiving", 0, 0, ""],
    ["Deploying", 5, 10, ""],
  ] as const
) {
  Deno.test(`${phase} with ${bytes} of ${totalBytes} bytes says "${text}"`, () => {
    const said = cells({ phase, progress: { bytes, totalBytes } })[3];
    assert.equal(said, `everything runs${text}`);
  });
}

Deno.test("components stand below the message, each on a line of its own", () => {
  const components = [
    { name: "front", phase: "Ready", message: "2 of 2" },
    { name: "back", phase: "Failed", message: "no image" },
  ] as const;
  assert.equal(
    cells({ components })[3],
    "everything runs<br>front: Ready. 2 of 2<br>back: Failed. no image",
  );
});

Deno.test("parts of the node say whether they work, and why not", () => {
  const parts = [
    { name: "registry", ok: true, message: "listens" },
    { name: "cluster", ok: false, message: "no answer" },
  ];
  const text = page({ parts });
  assert.ok(text.includes('<td>registry</td><td class="good">ok</td><td>listens</td>'));
  assert.ok(text.includes('<td>cluster</td><td class="bad">not ok</td><td>no answer</td>'));
});

Deno.test("nothing that comes from a file or a node can become markup", () => {
  const evil = `<script>"x"&'y'</script>`;
  const text = page({
    node: evil,
    version: evil,
    parts: [{ name: evil, ok: true, message: evil }],
    packages: [
      verdict({ file: `/drop/${evil.replaceAll("/", "")}`, message: evil }),
      verdict({
        package: { ...WEB, name: evil, version: evil, signature: evil },
        components: [{ name: evil, phase: "Ready", message: evil }],
      }),
    ],
  });
  assert.equal(text.includes("<script"), false);
  assert.equal(text.includes(`"x"`), false);
  assert.equal(text.includes("'y'"), false);
  assert.equal(text.split("&#60;script&#62;&#34;x&#34;&#38;&#39;y&#39;").length - 1, 12);
});
