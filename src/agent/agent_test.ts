import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { AwakeClock, eventually, withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { writeOciLayout } from "../../extension/build/oci_image.ts";
import { digestOf } from "../std/mod.ts";
import type { PackageStatus } from "../status/mod.ts";

const MAIN = fileURLToPath(import.meta.resolve("../../main.ts"));

/** The agent as a process of its own, without a cluster. */
class RunningAgent implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly ended: Promise<Deno.CommandStatus>;
  readonly log: Record<string, string>[] = [];
  out = "";

  constructor(readonly dir: string, flags: readonly string[] = []) {
    Deno.mkdirSync(`${dir}/drop`, { recursive: true });
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", MAIN, "agent"],
        ...[`--drop-dir=${dir}/drop`, `--data-dir=${dir}/data`, "--node-name=node-1"],
        ...["registry", "status", "admission"].map((name) => `--${name}-address=127.0.0.1:0`),
        ...flags,
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = Promise.all([this.#readLog(), this.#readOut()]).then(() => {});
    this.ended = this.#child.status;
  }

  /** Where a part listens: `127.0.0.1:1234`. */
  address(part: string): Promise<string> {
    return eventually(
      () => this.log.find(({ msg }) => msg === `${part} listens`)?.address,
      20_000,
    );
  }

  verdict(name: string): PackageStatus | undefined {
    try {
      return JSON.parse(Deno.readTextFileSync(`${this.dir}/drop/${name}.status.json`));
    } catch {
      return undefined;
    }
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.ended;
    await this.#reading;
  }

  async #readLog(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.log.push(line.startsWith("{") ? JSON.parse(line) : { msg: line });
      }
    }
  }

  async #readOut(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.out += text;
    }
  }
}

Deno.test("without a cluster an agent takes a package in, serves it, and stops when told", () =>
  withDirectory(async (dir) => {
    await using agent = new RunningAgent(dir);
    const registry = await agent.address("node registry");
    const status = await agent.address("status page");
    const readyz = async () => await (await fetch(`http://${status}/readyz`)).text();
    await eventually(async () => await readyz() === "ok\n");
    Deno.writeFileSync(`${dir}/drop/web.tar.zst`, buildPackage({ name: "web" }));
    await eventually(() => agent.verdict("web.tar.zst")?.reason === "NoKubeconfig", 20_000);
    const verdict = agent.verdict("web.tar.zst");
    assert.deepEqual(
      [verdict?.phase, verdict?.node, verdict?.package?.name, verdict?.package?.version],
      ["Accepted", "node-1", "web", "1.0.0"],
    );

    const response = await fetch(`http://${registry}/v2/library/sample/manifests/1.0`);
    assert.equal(response.status, 200);
    const manifest = await response.bytes();
    assert.equal(response.headers.get("docker-content-digest"), digestOf(manifest));
    const [layer] = JSON.parse(new TextDecoder().decode(manifest)).layers;
    const blob = await fetch(`http://${registry}/v2/library/sample/blobs/${layer.digest}`);
    assert.equal(await blob.text(), "not really a layer\n");

    const page = await (await fetch(`http://${status}/`)).text();
    assert.match(page, /node-1/);
    assert.match(page, /web 1\.0\.0/);
    const told = await (await fetch(`http://${status}/api/v1/status`)).json();
    assert.deepEqual(
      told.parts.map((part: { name: string }) => part.name),
      [
        "node registry",
        "status page",
        "admission webhook",
        "image rewriting",
        "node name",
        "Talos",
        "etcd bootstrap",
        "peer listener",
        "node certificate",
        "cluster",
        "pull secrets",
        "git server",
        "deployment",
        "store",
      ],
    );
    await eventually(async () => /^deployment: there is no kubeconfig/.test(await readyz()));
    const metrics = await (await fetch(`http://${status}/metrics`)).text();
    assert.match(metrics, /holdfast_packages\{phase="Accepted"\} 1/);
    assert.match(metrics, /holdfast_registry_requests_total\{.*route="blobs".*\} 1/);

    using clock = new AwakeClock();
    agent.kill("SIGTERM");
    assert.equal((await agent.ended).code, 0);
    assert(clock.monotonic() < 7_000, "it waits for nothing until it is made to end");
    assert.equal(agent.log.at(-1)?.msg, "holdfast has stopped");
    assert.equal(agent.out, "", "what an agent says is log, not output");
  }));

Deno.test("a file that is no package has its verdict beside it and under the data, in seconds", () =>
  withDirectory(async (dir) => {
    await using agent = new RunningAgent(dir);
    await agent.address("node registry");
    Deno.writeFileSync(`${dir}/drop/empty.tar`, new Uint8Array());
    await eventually(() => agent.verdict("empty.tar")?.phase === "Rejected", 15_000);
    assert.equal(agent.verdict("empty.tar")?.reason, "EmptyFile");
    const [kept] = [...Deno.readDirSync(`${dir}/data/status`)];
    assert.equal(kept?.name, "empty.tar.status.json");
    agent.kill("SIGTERM");
    assert.equal((await agent.ended).code, 0);
  }));

Deno.test("a package that was taken in is served after a kill, without its file", () =>
  withDirectory(async (dir) => {
    Deno.mkdirSync(`${dir}/drop`);
    Deno.writeFileSync(`${dir}/drop/web.tar.zst`, buildPackage({ name: "web" }));
    {
      await using agent = new RunningAgent(dir);
      await eventually(() => agent.verdict("web.tar.zst")?.phase === "Accepted", 20_000);
      agent.kill("SIGKILL");
      assert.equal((await agent.ended).signal, "SIGKILL");
    }
    Deno.removeSync(`${dir}/drop/web.tar.zst`);
    await using agent = new RunningAgent(dir);
    const registry = await agent.address("node registry");
    const response = await fetch(`http://${registry}/v2/library/sample/manifests/1.0`);
    assert.equal(response.status, 200);
    await response.body?.cancel();
    agent.kill("SIGINT");
    assert.equal((await agent.ended).code, 0);
  }));

Deno.test("the seed image of its directory is served by the node registry", () =>
  withDirectory(async (dir) => {
    const references = ["docker.io/library/registry:3"];
    await writeOciLayout(`${dir}/seed`, [{ references, entries: [] }]);
    await using agent = new RunningAgent(dir, [`--seed-dir=${dir}/seed`]);
    const registry = await agent.address("node registry");
    const url = `http://${registry}/v2/library/registry/manifests/3`;
    await eventually(async () => {
      const response = await fetch(url);
      await response.body?.cancel();
      return response.status === 200;
    });
    agent.kill("SIGTERM");
    await agent.ended;
  }));

Deno.test("a port that is taken is said once; the rest works, and takes it when it is free", () =>
  withDirectory(async (dir) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${taken.addr.port}`;
    await using agent = new RunningAgent(dir, [`--registry-address=${address}`]);
    const status = await agent.address("status page");
    const readyz = async () => await (await fetch(`http://${status}/readyz`)).text();
    await eventually(async () =>
      (await readyz()).includes(
        `the node registry cannot listen on ${address}: another program listens there`,
      )
    );
    taken.close();
    await eventually(async () => (await readyz()) === "ok\n", 15_000);
    assert.equal(agent.log.filter(({ msg }) => msg?.includes("cannot listen")).length, 1);
    agent.kill("SIGTERM");
    await agent.ended;
  }));

Deno.test("a second agent on the same data does not start, and says why", () =>
  withDirectory(async (dir) => {
    await using first = new RunningAgent(dir);
    await first.address("node registry");
    await using second = new RunningAgent(dir);
    assert.equal((await second.ended).code, 1);
    await eventually(() =>
      second.log.some(({ msg }) =>
        /^another process has the data directory .* open; .*--data-dir/.test(msg ?? "")
      )
    );
    first.kill("SIGTERM");
    assert.equal((await first.ended).code, 0);
  }));

Deno.test("a seed image that is put there later is taken in, and its absence is said once", () =>
  withDirectory(async (dir) => {
    const layout = `${dir}/seed`;
    await using agent = new RunningAgent(dir, [`--seed-dir=${layout}`]);
    const registry = await agent.address("node registry");
    const complaints = () => agent.log.filter(({ level }) => level === "error").length;
    await eventually(() => complaints() > 0);
    await writeOciLayout(layout, [{
      references: ["docker.io/library/registry:3"],
      entries: [{ path: "bin/registry", content: "program" }],
    }]);
    await eventually(async () => {
      const url = `http://${registry}/v2/library/registry/manifests/3`;
      const response = await fetch(url);
      await response.body?.cancel();
      return response.ok;
    }, 20_000);
    assert.equal(complaints(), 1);
  }));
