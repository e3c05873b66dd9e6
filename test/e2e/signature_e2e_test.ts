import assert from "node:assert/strict";
import { parseTrustedKeys, readPackage } from "../../src/package/mod.ts";
import { withDirectory } from "../fakes/testing.ts";
import { buildPackage, type PackageHooks } from "../fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../fixtures/package_sink.ts";
import { keyPair, signed } from "../fixtures/sign_package.ts";
import { HELLO, PACKAGES } from "./support/agent.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { stateBesideDrops, storeState } from "./support/store_state.ts";
import { zarfKeys, zarfSign, zarfVerify } from "./support/zarf_sign.ts";

/** The keys of a file as the agent names them. */
function fingerprintOf(publicFile: string): string {
  const [key] = parseTrustedKeys(Deno.readTextFileSync(publicFile));
  return key?.fingerprint ?? assert.fail(`${publicFile} holds no key`);
}

/** The signatures of the packages in an agent's store. */
function signaturesIn(dataDir: string): unknown[] {
  const { packages = [] } = storeState(dataDir).tables;
  return packages.map(({ name, signature, signed_by }) => [name, signature, signed_by]);
}

/** Everything that was accepted says that it waits, and nothing more is written. */
async function atRest(agent: LocalAgent, path: string): Promise<void> {
  await agent.settled(path, { where: ({ reason }) => reason === "NoKubeconfig" });
}

Deno.test("what the real zarf signs is accepted by its key, and nothing else", async (t) => {
  await using agent = new LocalAgent();
  const { directory } = agent;
  const ours = await zarfKeys(`${directory}/ours`);
  const other = await zarfKeys(`${directory}/other`);
  const good = await zarfSign(HELLO, ours, `${directory}/signed`);
  const bad = await zarfSign(HELLO, other, `${directory}/foreign`);
  const trust = { flags: [`--trust-key=${ours.publicFile}`] };
  const signer = fingerprintOf(ours.publicFile);

  await t.step("the real zarf agrees", async () => {
    assert.deepEqual((await zarfVerify(good, ours.publicFile)).ok, true);
    assert.deepEqual((await zarfVerify(bad, ours.publicFile)).ok, false);
    assert.deepEqual((await zarfVerify(HELLO, ours.publicFile)).ok, false);
  });

  await agent.started(trust);
  const accepted = await agent.drop(good, "good.tar.zst");
  await t.step("signed by the trusted key: accepted and verified", async () => {
    const verdict = await agent.settled(accepted);
    assert.equal(verdict.phase, "Accepted", verdict.message);
    assert.equal(verdict.package?.signature, "Verified");
    assert.deepEqual(signaturesIn(agent.dataDir), [["hello", "Verified", signer]]);
    await atRest(agent, accepted);
  });

  const before = stateBesideDrops(agent.dataDir);
  const refusals = [
    ["unsigned", HELLO, "Unsigned", /is not signed: it has neither zarf\.bundle\.sig nor/],
    ["signed by another key", bad, "SignatureInvalid", new RegExp(`trusted keys \\(${signer}\\)`)],
  ] as const;
  for (const [name, file, reason, says] of refusals) {
    await t.step(`${name}: rejected, and nothing in the store has changed`, async () => {
      const path = await agent.drop(file, `${name.replaceAll(" ", "-")}.tar.zst`);
      const verdict = await agent.settled(path);
      assert.deepEqual([verdict.phase, verdict.reason], ["Rejected", reason], verdict.message);
      assert.match(verdict.message, says);
      assert.match(verdict.message, /nothing of the package was taken in/);
      assert.equal(verdict.package, undefined);
      assert.deepEqual(stateBesideDrops(agent.dataDir), before);
    });
  }

  await t.step("after a rotation the refused file is taken where it lies", async () => {
    const path = `${agent.dropDir}/signed-by-another-key.tar.zst`;
    assert.equal((await agent.stop()).code, 0);
    const both = `${directory}/both.pub`;
    const pems = [other, ours].map(({ publicFile }) => Deno.readTextFileSync(publicFile));
    await Deno.writeTextFile(both, pems.join("\n"));
    await agent.started({ flags: [`--trust-key=${both}`] });
    const verdict = await agent.settled(path, { phases: ["Accepted", "Superseded"] });
    assert.equal(verdict.package?.signature, "Verified");
    const signers = new Set(signaturesIn(agent.dataDir).map((row) => String(row)));
    assert(signers.has(String(["hello", "Verified", fingerprintOf(other.publicFile)])));
    // What no key signed is refused again.
    const unsigned = await agent.settled(`${agent.dropDir}/unsigned.tar.zst`);
    assert.deepEqual([unsigned.phase, unsigned.reason], ["Rejected", "Unsigned"]);
  });
});

Deno.test("without keys the same packages are accepted, and say what is known of them", async () => {
  await using agent = new LocalAgent();
  await agent.started();
  const packages = [
    ["Unsigned", HELLO],
    ["Unverified", `${PACKAGES}/zarf-package-app-signed-amd64-1.0.0.tar.zst`],
  ] as const;
  for (const [signature, file] of packages) {
    const verdict = await agent.settled(await agent.drop(file));
    assert.deepEqual([verdict.phase, verdict.package?.signature], ["Accepted", signature]);
  }
});

Deno.test("the real zarf and the reader say the same of every signature", async (t) => {
  const [ours, other] = [keyPair(), keyPair()];
  const tamper = (yaml: string) => yaml.replace("name: sample", "name: simple");
  const saysSigned: PackageHooks = { definition: ({ build }) => void (build["signed"] = true) };
  const unreadable: PackageHooks = {
    ...saysSigned,
    entries: (all) => [...all, { name: "zarf.bundle.sig", content: "{}" }],
  };
  // The third is the answer of both; the fourth is the reader's own where it has one.
  const cases: readonly (readonly [string, PackageHooks, boolean, boolean?])[] = [
    ["a bundle", signed(ours), true],
    ["an old signature", signed(ours, { form: "legacy" }), true],
    [
      "an old signature, and the definition does not say",
      signed(ours, {
        form: "legacy",
        says: null,
      }),
      true,
    ],
    // Zarf looks for the old file alone here; whoever writes bundles says that it is signed.
    ["a bundle, and the definition does not say", signed(ours, { says: null }), false, true],
    ["a bundle of another key", signed(other), false],
    ["an old signature of another key", signed(other, { form: "legacy" }), false],
    ["a bundle over another definition", signed(ours, { tamper }), false],
    ["an old signature over another definition", signed(ours, { form: "legacy", tamper }), false],
    ["a bundle, and the definition says no", signed(ours, { says: false }), false],
    [
      "an old signature, and the definition says no",
      signed(ours, {
        form: "legacy",
        says: false,
      }),
      false,
    ],
    ["nothing", {}, false],
    ["nothing, and the definition says yes", saysSigned, false],
    ["a bundle that is none", unreadable, false],
  ];
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/ours.pub`, ours.pem);
    const file = `${dir}/zarf-package-sample-amd64-1.0.0.tar.zst`;
    for (const [name, hooks, good, accepted = good] of cases) {
      await t.step(name, async () => {
        const bytes = buildPackage({ hooks });
        await Deno.writeFile(file, bytes);
        const { ok, text } = await zarfVerify(file, `${dir}/ours.pub`);
        assert.equal(ok, good, text);
        const reading = readPackage(sourceOf(bytes), {
          format: "tar.zst",
          architecture: "amd64",
          sink: new MemorySink(),
          trust: [ours.trusted],
        });
        assert.equal(await reading.then(() => true, () => false), accepted);
      });
    }
  });
});
