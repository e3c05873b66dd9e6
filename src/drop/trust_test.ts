import assert from "node:assert/strict";
import { loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { keyPair, signed, type SigningPair } from "../../test/fixtures/sign_package.ts";
import { Store } from "../store/mod.ts";
import { REFUSE_TIME } from "./settle.ts";
import { DropWatcher } from "./watcher.ts";

const [ours, next] = [keyPair(), keyPair()];

/** A data directory and a drop directory, and one agent's life after another with them. */
class Node {
  readonly drop: string;
  readonly log = loggerOf();

  constructor(readonly dir: string) {
    this.drop = `${dir}/drop`;
    Deno.mkdirSync(this.drop);
  }

  put(name: string, bytes: Uint8Array): void {
    Deno.writeFileSync(`${this.drop}/${name}`, bytes);
  }

  /** Starts with these keys, deals with every file, and stops. Gives everything that was said. */
  async run(...pairs: readonly SigningPair[]): Promise<Record<string, string[]>> {
    const said: Record<string, string[]> = {};
    const clock = new TestClock();
    using store = Store.open(`${this.dir}/data`, { logger: this.log.logger });
    const watcher = new DropWatcher({
      directories: [this.drop],
      store,
      architecture: "amd64",
      trust: pairs.map(({ trusted }) => trusted),
      logger: this.log.logger,
      clock,
      onChange: ({ path, outcome }) => {
        const what = "reason" in outcome ? `${outcome.phase} ${outcome.reason}` : outcome.phase;
        (said[path.slice(this.drop.length + 1)] ??= []).push(what);
      },
    });
    const { signal } = new AbortController();
    while (await watcher.look(signal)) clock.advance(REFUSE_TIME);
    // Closes its file events.
    await watcher.run(AbortSignal.abort());
    return said;
  }

  packages(): [string, string, string | undefined][] {
    using store = Store.open(`${this.dir}/data`);
    return store.records.listPackages().map((one) => [one.name, one.signature, one.signedBy]);
  }
}

const onNode = (action: (node: Node) => Promise<void>) =>
  withDirectory((dir) => action(new Node(dir)));

Deno.test("with keys unsigned and wrongly signed files are refused, and only those", () =>
  onNode(async (node) => {
    node.put("a.tar.zst", buildPackage({ name: "unsigned" }));
    node.put("b.tar.zst", buildPackage({ name: "stranger", hooks: signed(keyPair()) }));
    node.put("c.tar.zst", buildPackage({ name: "ours", hooks: signed(ours) }));
    const said = await node.run(ours);
    assert.equal(said["a.tar.zst"]?.at(-1), "Rejected Unsigned");
    assert.equal(said["b.tar.zst"]?.at(-1), "Rejected SignatureInvalid");
    assert.equal(said["c.tar.zst"]?.at(-1), "Accepted");
    assert.deepEqual(node.packages(), [["ours", "Verified", ours.trusted.fingerprint]]);
    const accepted = node.log.lines.filter((line) => line.includes("package accepted"));
    assert.equal(accepted.length, 1);
    assert(accepted[0]?.includes(ours.trusted.fingerprint), accepted[0]);
  }));

Deno.test("what was refused is read again when there are other keys, and not before", () =>
  onNode(async (node) => {
    node.put("next.tar.zst", buildPackage({ name: "next", hooks: signed(next) }));
    node.put("broken.tar.zst", buildPackage().subarray(0, 500));
    const reads = (said: Record<string, string[]>, name: string) =>
      said[name]?.filter((one) => one === "Receiving Reading").length;
    const first = await node.run(ours);
    assert.equal(first["next.tar.zst"]?.at(-1), "Rejected SignatureInvalid");
    const same = await node.run(ours);
    assert.deepEqual(same["next.tar.zst"], ["Rejected SignatureInvalid"]);
    const rotated = await node.run(next, ours);
    assert.equal(rotated["next.tar.zst"]?.at(-1), "Accepted");
    // What has nothing to do with keys stays refused.
    assert.deepEqual(rotated["broken.tar.zst"], ["Rejected Truncated"]);
    assert.deepEqual(node.packages(), [["next", "Verified", next.trusted.fingerprint]]);
    // And what is in the store stays there when its key is withdrawn.
    const withdrawn = await node.run(ours);
    assert.equal(reads(withdrawn, "next.tar.zst"), 0);
    assert.deepEqual(withdrawn["next.tar.zst"], ["Accepted"]);
  }));

Deno.test("a refusal for want of a signature does not outlive the keys", () =>
  onNode(async (node) => {
    node.put("a.tar.zst", buildPackage({ name: "unsigned" }));
    assert.equal((await node.run(ours))["a.tar.zst"]?.at(-1), "Rejected Unsigned");
    assert.equal((await node.run())["a.tar.zst"]?.at(-1), "Accepted");
    assert.deepEqual(node.packages(), [["unsigned", "Unsigned", undefined]]);
  }));

Deno.test("a package that was taken in unverified is verified when it is dropped again", () =>
  onNode(async (node) => {
    const bytes = buildPackage({ name: "ours", hooks: signed(ours) });
    node.put("first.tar.zst", bytes);
    await node.run();
    assert.deepEqual(node.packages(), [["ours", "Unverified", undefined]]);
    node.put("second.tar.zst", bytes);
    await node.run(ours);
    assert.deepEqual(node.packages(), [["ours", "Verified", ours.trusted.fingerprint]]);
  }));
