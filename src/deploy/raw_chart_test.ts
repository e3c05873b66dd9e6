import assert from "node:assert/strict";
import { rawChartName, writeRawChart } from "./raw_chart.ts";

Deno.test("raw manifests get the release names that the real Zarf gives them", () => {
  const rows: [string, string, string, string][] = [
    ["dos-games", "baseline", "multi-games", "f53a99d4a4dd9a3575bedf59cd42d48d751ae866"],
    ["init", "zarf-registry", "registry-connect", "a0e2de5862bbc49ea7f205abbb4da84041fe9c74"],
    ["init", "zarf-agent", "zarf-agent", "d2db14ef40305397791454e883b26fc94ad9615d"],
    ["app-small", "web", "namespace", "aa3eddf1516e608011f5ba3b19fa6dfc86e132bd"],
    ["app-small", "web", "web", "9845cd807b2636d00dcb76dc2d67b105647dbac1"],
    ["app-small", "web", "extras", "dd59a0e904474942888ba3f0e81de3fb55e3a4eb"],
  ];
  for (const [pkg, component, manifest, hash] of rows) {
    assert.deepEqual(rawChartName(pkg, component, manifest), {
      chart: `raw-${pkg}-${component}-${manifest}`,
      release: `zarf-${hash}`,
    });
  }
});

Deno.test("a raw chart's templates print their texts and nothing else", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const texts = ['a: "{{ .Values.x }}"\n', "b: \\u0041 \t`\u2028\u0001\n"];
    writeRawChart(`${directory}/chart`, "raw-a-b-c", "0.1.1795362712", texts);
    assert.deepEqual(JSON.parse(Deno.readTextFileSync(`${directory}/chart/Chart.yaml`)), {
      apiVersion: "v2",
      name: "raw-a-b-c",
      version: "0.1.1795362712",
    });
    const read = texts.map((_, index) =>
      Deno.readTextFileSync(`${directory}/chart/templates/manifest-${index}.yaml`)
    );
    assert.deepEqual(read.map((text) => JSON.parse(text.slice(2, -2))), texts);
    assert.ok(read.every((text) => !text.includes("\n")), "no raw line break in a Go string");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
