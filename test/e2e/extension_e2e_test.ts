import assert from "node:assert/strict";
import { bundle } from "../../extension/build/bundle.ts";
import { compile } from "../../extension/build/compile.ts";
import { cacheDir } from "../../extension/build/go_tools.ts";
import { isElf, readElf } from "../../extension/build/image/elf.ts";
import { writeExtension } from "../../extension/build/image/image.ts";
import { ownIngredients } from "../../extension/build/image/main.ts";
import { digestOf } from "../../src/std/mod.ts";
import { ensureDenort } from "../build/denort.ts";
import { withDirectory } from "../fakes/testing.ts";
import { eventually, HELLO, ROOT } from "./support/agent.ts";
import { BROKEN_EXTENSIONS, CONTAINER } from "./support/broken_extensions.ts";
import { ExtensionContainer } from "./support/extension_container.ts";
import { ImageCopy, judge, testImage } from "./support/extension_image.ts";
import { TalosApi } from "./support/talos_api.ts";

/*
 * The image of the Talos extension: Talos' own code takes it and refuses what is broken of it, and it
 * runs in the real runc with what Talos makes of its spec. No Talos is needed for that.
 */

/** The most that the agent may take to serve after its start, in milliseconds. */
const START_LIMIT = 1_000;
const MAX_STARTS = 3;
/** The most resident memory of an idle agent, in bytes. */
const IDLE_LIMIT = 96 << 20;

/** How long nothing is asked of it, and the most of the processor that it may take, in milliseconds. */
const QUIET_TIME = 60_000;
const QUIET_LIMIT = 1_500;

const silent = () => {};
/** A figure for the log. */
const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const { built, archive, image, findings } = await testImage();

Deno.test("Talos takes the image, and nothing that Talos overlooks is wrong with it", () => {
  assert.deepEqual(findings, []);
});

Deno.test("what crane reads of the archive is the same", async () => {
  await withDirectory(async (dir) => {
    assert.deepEqual(await judge(dir, "-archive", archive), []);
    const { success, stdout } = await new Deno.Command("diff", {
      args: ["-r", "--no-dereference", image, dir],
    }).output();
    assert(success, new TextDecoder().decode(stdout));
  });
});

Deno.test("two builds give the same digest, and the same bytes of the archive", async () => {
  await withDirectory(async (dir) => {
    const ingredients = await ownIngredients("", silent);
    // From the source on: the bundle, the program, the image.
    const bundled = await bundle({
      entry: `${ROOT}/main.ts`,
      sources: `${ROOT}/src`,
      output: `${dir}/bundle`,
      version: ingredients.version,
    });
    const agent = `${dir}/holdfast`;
    const base = Deno.env.get("DENORT_BIN") || await ensureDenort(cacheDir());
    await compile({ bundle: bundled, output: agent, base });
    const again = await writeExtension(
      { ...ingredients, agent },
      `${dir}/layout`,
      `${dir}/image.tar`,
    );
    assert.equal(again.manifest.digest, built.manifest.digest);
    assert.equal(again.layers.length, 1);
    const { success } = await new Deno.Command("cmp", { args: [archive, `${dir}/image.tar`] })
      .output();
    assert(success, "the archives differ");
  });
});

Deno.test("no program in the image has symbols of a debugger, or is there twice", () => {
  const seen = new Map<string, string>();
  for (const path of filesBelow(`${image}/${CONTAINER}`)) {
    if (!isElf(path)) continue;
    const sections = readElf(path).sections;
    const debug = sections.filter((name) => /^\.(debug_info|symtab|zdebug)/.test(name));
    assert.deepEqual(debug, [], path);
    const digest = digestOf(Deno.readFileSync(path));
    assert.equal(seen.get(digest), undefined, `${path} is ${seen.get(digest)}`);
    seen.set(digest, path);
  }
  assert(seen.size > 10);
});

function filesBelow(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory, isFile }) =>
    isDirectory ? filesBelow(`${directory}/${name}`) : isFile ? [`${directory}/${name}`] : []
  );
}

Deno.test("the bill of materials has every kind of part, and its notices are in the image", () => {
  const notices = `${image}/${CONTAINER}/usr/share/doc/holdfast`;
  const read = (
    path: string,
  ): { packages: { name: string; externalRefs: { referenceLocator: string }[] }[] } =>
    JSON.parse(Deno.readTextFileSync(path));
  const bill = read(`${notices}/holdfast.spdx.json`);
  const purls = bill.packages.flatMap((one) => one.externalRefs.map((ref) => ref.referenceLocator));
  const expected = [
    ...["pkg:npm/valibot@", "pkg:npm/js-yaml@", "pkg:golang/helm.sh/helm/v4@", "pkg:golang/std@"],
    ...["pkg:golang/github.com/distribution/distribution/v3@", "pkg:github/denoland/deno@"],
    ...["pkg:deb/debian/libc6@", "pkg:deb/debian/busybox-static@", "pkg:deb/debian/git@"],
  ];
  for (const each of expected) assert(purls.some((purl) => purl.startsWith(each)), each);
  for (const name of ["LICENSE", "deno.txt", "debian.txt", "npm.txt", "go.txt"]) {
    assert(Deno.statSync(`${notices}/${name}`).size > 1_000, name);
  }
  const shown = read(`${image}/rootfs/usr/local/share/spdx/holdfast.spdx.json`).packages;
  assert.deepEqual(
    shown.map(({ name }) => name),
    ["holdfast"],
    "Talos' own parts keep their names",
  );
});

for (const { name, break: change, by, message } of BROKEN_EXTENSIONS) {
  Deno.test(`an image is refused ${name}`, async () => {
    await withDirectory(async (dir) => {
      const copy = await ImageCopy.of(image, `${dir}/image`);
      await change(copy);
      const found = await judge(copy.directory);
      const said = found.filter((each) => each.by === by).map((each) => each.message);
      assert(said.some((each) => message.test(each)), JSON.stringify(found));
    });
  });
}

Deno.test("the node registry answers within a second of the service's start", async () => {
  const waited: number[] = [];
  // Once more where a disk or the runtime was busy with something else.
  while (waited.length < MAX_STARTS && Math.min(...waited) > START_LIMIT) {
    await withDirectory(async (directory) => {
      await using service = new ExtensionContainer({ extension: image, directory });
      const started = performance.now();
      await service.start();
      const whole = await answers(service, started);
      // What it had to wait for a processor is this machine's, not its own.
      const own = whole - await service.processorDelay();
      say(`answered after ${Math.round(whole)} ms, ${Math.round(own)} of its own`);
      waited.push(own);
    });
  }
  assert(Math.min(...waited) <= START_LIMIT, `${waited.map(Math.round).join(", ")} ms`);
});

Deno.test("the service runs in its container with everything that it calls", async (test) => {
  await withDirectory(async (directory) => {
    await using service = new ExtensionContainer({ extension: image, directory });
    await service.start();
    await answers(service, performance.now());
    for (const [what, command, expected] of COMMANDS) {
      await test.step(what, async () => {
        const { code, stdout, stderr } = await service.exec(...command);
        assert.equal(code, 0, stderr);
        assert.match(`${stdout}${stderr}`, expected);
      });
    }
    await test.step("each name in /bin is a command of busybox", async () => {
      const script = "busybox --list >/tmp/l; for f in /bin/*; do " +
        "[ $f = /bin/busybox ] || grep -qxF -- ${f#/bin/} /tmp/l || echo $f; done; rm /tmp/l";
      assert.deepEqual(await service.exec("sh", "-c", script).then(({ stdout }) => stdout), "");
    });
    await test.step("git fetches by http", async () => {
      const { stderr } = await service.exec("git", "ls-remote", "http://127.0.0.1:9/x.git");
      assert.match(stderr, /unable to access .*127\.0\.0\.1.*(Failed|Couldn't) .*connect/i);
    });
    await test.step("nothing can be written but data and what is dropped, or be executed", async () => {
      const script = "for d in /etc /opt/holdfast /usr/bin /sys /etc/kubernetes; do " +
        "touch $d/x 2>/dev/null && echo $d; done; " +
        "for d in /var/lib/holdfast /var/mnt /tmp; do cp /bin/busybox $d/ls && " +
        "$d/ls 2>/dev/null && echo $d; rm $d/ls; done; exit 0";
      const { stdout, stderr } = await service.exec("sh", "-c", script);
      assert.deepEqual([stdout, stderr], ["", ""]);
    });
    await test.step("its lines are what Talos takes level and message from", () => {
      const lines = service.log().trim().split("\n").map((line) => JSON.parse(line));
      assert(lines.length > 0);
      for (const line of lines) assert.match(`${line.level} ${line.msg}`, /^(info|warn) \S/);
    });
    await test.step("idle it holds little memory", async () => {
      // The least of a minute: when the runtime collects what is free is its own affair.
      const taken: number[] = [];
      for (let look = 0; look < 12 && !taken.some((bytes) => bytes <= IDLE_LIMIT); look++) {
        await new Promise((resolve) => setTimeout(resolve, 5_000));
        taken.push(await service.resident());
      }
      const resident = Math.min(...taken);
      say(`idle: ${(resident / (1 << 20)).toFixed(1)} MiB resident`);
      assert(resident <= IDLE_LIMIT, `${taken.join(", ")} bytes`);
    });
    await test.step("in a quiet minute it takes little of the processor", async () => {
      const before = await service.processorTime();
      await new Promise((resolve) => setTimeout(resolve, QUIET_TIME));
      const taken = await service.processorTime() - before;
      say(`quiet: ${taken} ms of the processor in ${QUIET_TIME / 1_000} s`);
      assert(taken <= QUIET_LIMIT, `${taken} ms`);
    });
    await test.step("it ends at SIGTERM", async () => {
      assert.equal((await service.end("TERM")).code, 0, service.log());
    });
  });
});

/** What is called in the container, and what it says. */
const COMMANDS: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["the agent says its version", ["holdfast", "version"], /\d+\.\d+\.\d+/],
  ["helm is there", ["helm", "version"], /v4\./],
  ["kubectl is there", ["kubectl", "version", "--client"], /v1\.36/],
  ["git is there", ["git", "--version"], /git version/],
  ["sh finds its commands", ["sh", "-c", "echo one | sed s/one/two/ | tr a-z A-Z"], /^TWO$/m],
  [
    "git clones, commits and pushes",
    [
      "sh",
      "-ec",
      "cd /tmp && git init -q --bare a && git clone -q file:///tmp/a b && cd b && " +
      "git -c user.name=x -c user.email=x@x commit -q --allow-empty -m one && " +
      "git push -q origin HEAD && git ls-remote origin && rm -rf /tmp/a /tmp/b",
    ],
    /refs\/heads\//,
  ],
];

/** Milliseconds from `started` until the node registry answers. */
async function answers(service: ExtensionContainer, started: number): Promise<number> {
  for (;;) {
    try {
      const response = await fetch(`http://${service.registry}/v2/`);
      await response.body?.cancel();
      if (response.ok) return performance.now() - started;
    } catch {
      // Not yet.
    }
    assert(performance.now() - started < 90_000, service.log());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("the site's file and environment take the place of the image's settings", async () => {
  await withDirectory(async (directory) => {
    await using service = new ExtensionContainer({
      extension: image,
      directory,
      files: { "/usr/local/etc/holdfast/agent.yaml": "drop-dir: [/var/mnt/usb]\nnode-name: one\n" },
      environment: ["HOLDFAST_NODE_NAME=two"],
    });
    await service.start();
    await answers(service, performance.now());
    const { stdout } = await service.exec("holdfast", "agent", "--print-config");
    assert.match(stdout, /^drop-dir: \[\/var\/mnt\/usb\] # file$/m);
    assert.match(stdout, /^node-name: two # environment$/m);
    assert.match(stdout, /^data-dir: \/var\/lib\/holdfast # default$/m);
    assert.match(stdout, /^talos-socket: \/system\/run\/machined\/machine\.sock # default$/m);
    assert.match(stdout, /^seed-dir: \/opt\/holdfast\/seed # default$/m);
    assert.match(stdout, /^tools-dir: \/opt\/holdfast\/tools # default$/m);
  });
});

Deno.test("a setting that there is not ends the service with a line that says so", async () => {
  await withDirectory(async (directory) => {
    await using service = new ExtensionContainer({
      extension: image,
      directory,
      files: { "/usr/local/etc/holdfast/agent.yaml": "dropdir: /var/mnt\n" },
    });
    await service.start();
    assert.notEqual((await service.end()).code, 0);
    assert.match(service.log(), /unknown setting "dropdir"/);
  });
});

Deno.test("a package on a volume that is mounted after the agent's start is taken in", async () => {
  await withDirectory(async (directory) => {
    const service = new ExtensionContainer({ extension: image, directory });
    const node = service.node("");
    await Deno.mkdir(node);
    // Talos' /var hands on what is mounted below it, as systemd's does.
    await run("mount", "--bind", node, node);
    try {
      await run("mount", "--make-rshared", node);
      await using _ = service;
      await service.start();
      await answers(service, performance.now());
      const drop = service.node("/var/mnt/holdfast");
      await Deno.mkdir(drop);
      await run("mount", "-t", "tmpfs", "-o", "size=64m", "none", drop);
      await Deno.copyFile(HELLO, `${drop}/hello.tar.zst`);
      await eventually(
        "a verdict",
        async () => {
          try {
            const text = await Deno.readTextFile(`${drop}/hello.tar.zst.status.json`);
            return JSON.parse(text).phase === "Accepted" ? true : undefined;
          } catch {
            return undefined;
          }
        },
        30_000,
        () => Promise.resolve(service.log()),
      );
    } finally {
      await run("umount", "--recursive", node);
    }
  });
});

async function run(command: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  assert(success, new TextDecoder().decode(stderr));
}

Deno.test("Talos' API is reached, also when its socket comes after the agent", async () => {
  await withDirectory(async (directory) => {
    await using service = new ExtensionContainer({ extension: image, directory });
    await service.start();
    await answers(service, performance.now());
    await using api = await TalosApi.start(service.node("/system/run/machined/machine.sock"));
    await api.change({ machineType: "controlplane", kubernetes: "apiVersion: v1\nkind: Config\n" });
    await eventually(
      "the kubeconfig that Talos has",
      () => service.log().includes("the control plane's kubeconfig is there") || undefined,
      30_000,
      () => Promise.resolve(service.log()),
    );
  });
});
