import assert from "node:assert/strict";
import {
  buildPackage,
  packageEntries,
  type PackageSpec,
  type TarEntrySpec,
} from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { keyPair, signed, type SigningPair } from "../../test/fixtures/sign_package.ts";
import {
  type PackageContents,
  PackageError,
  parseTrustedKeys,
  readPackage,
  type TrustedKey,
} from "./mod.ts";

const PACKAGES = new URL("../../test/fixtures/packages/", import.meta.url);
const file = (name: string) => Deno.readFileSync(new URL(name, PACKAGES));
const SIGNED = "zarf-package-app-signed-amd64-1.0.0.tar.zst";
const APP_SIGNED = parseTrustedKeys(Deno.readTextFileSync(new URL("app-signed.pub", PACKAGES)));

const ours = keyPair();
const other = keyPair();

function take(
  bytes: Uint8Array,
  trust?: readonly TrustedKey[],
  sink = new MemorySink(),
): Promise<PackageContents> {
  const options = { format: "tar.zst", architecture: "amd64", sink } as const;
  return readPackage(sourceOf(bytes), trust === undefined ? options : { ...options, trust });
}

async function refused(
  bytes: Uint8Array,
  reason: string,
  trust: readonly TrustedKey[] = [ours.trusted],
): Promise<PackageError> {
  const sink = new MemorySink();
  try {
    await take(bytes, trust, sink);
  } catch (error) {
    assert(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.equal(error.disposition, "terminal");
    assert.equal(sink.open, 0, "a file was left open");
    return error;
  }
  assert.fail(`the package was accepted instead of ${reason}`);
}

const contentOf = (entries: readonly TarEntrySpec[], name: string): string =>
  String(entries.find((entry) => entry.name === name)?.content ?? assert.fail(`no ${name}`));
const adding = (name: string, content: string) => ({
  entries: (all: TarEntrySpec[]) => [...all, { name, content }],
});
/** Hooks that sign whatever zarf.yaml holds. */
const signedText = (pair: SigningPair) => ({ entries: signed(pair).entries ?? assert.fail() });

Deno.test("a package that the real zarf signed is verified with its key", async () => {
  const { trust, signature } = await take(file(SIGNED), APP_SIGNED);
  assert.equal(signature, "bundle");
  assert.deepEqual(trust, { state: "Verified", signedBy: APP_SIGNED[0]?.fingerprint });
});

Deno.test("a package that the real zarf signed is refused with another key, by both names", async () => {
  const zarfs = parseTrustedKeys(Deno.readTextFileSync(new URL("zarf-test.pub", PACKAGES)));
  const error = await refused(file(SIGNED), "SignatureInvalid", zarfs);
  assert.match(error.message, new RegExp(`^zarf.bundle.sig: .*${zarfs[0]?.fingerprint}`));
  assert.match(error.message, new RegExp(`names the key ${APP_SIGNED[0]?.fingerprint}$`));
});

Deno.test("a package of the real zarf without a signature is refused when keys are there", async () => {
  const bytes = file("zarf-package-hello-amd64-0.1.0.tar.zst");
  const error = await refused(bytes, "Unsigned", APP_SIGNED);
  assert.match(error.message, /not signed/);
  assert.match(error.remedy ?? "", /zarf package sign/);
  assert.deepEqual((await take(bytes)).trust, { state: "Unsigned" });
});

for (const form of ["bundle", "legacy"] as const) {
  Deno.test(`a ${form} signature is verified by any one of several keys`, async () => {
    const bytes = buildPackage({ hooks: signed(ours, { form }) });
    const verified = { state: "Verified", signedBy: ours.trusted.fingerprint };
    for (const trust of [[ours], [ours, other], [other, ours]]) {
      const contents = await take(bytes, trust.map(({ trusted }) => trusted));
      assert.deepEqual(contents.trust, verified);
      assert.equal(contents.signature, form);
    }
    await refused(bytes, "SignatureInvalid", [other.trusted]);
    await refused(bytes, "SignatureInvalid", [other.trusted, keyPair().trusted]);
  });

  Deno.test(`a ${form} signature does not cover a changed definition`, async () => {
    const tamper = (yaml: string) => yaml.replace("name: sample", "name: simple");
    const bytes = buildPackage({ hooks: signed(ours, { form, tamper }) });
    assert.equal((await take(bytes)).definition.metadata.name, "simple");
    await refused(bytes, "SignatureInvalid");
  });

  Deno.test(`a ${form} signature of another package is refused`, async () => {
    const name = { bundle: "zarf.bundle.sig", legacy: "zarf.yaml.sig" }[form];
    const hooks = signed(ours, { form });
    const theirs = contentOf(packageEntries({ name: "one", hooks }), name);
    const swapped = (spec: PackageSpec) =>
      buildPackage({ ...spec, hooks: { ...signed(ours, { form }), ...adding(name, theirs) } });
    // The same signature is good where it belongs.
    assert.equal((await take(swapped({ name: "one" }), [ours.trusted])).trust.state, "Verified");
    await refused(swapped({ name: "two" }), "SignatureInvalid");
  });
}

Deno.test("without keys every package is taken, and says what is known of its signature", async (t) => {
  const cases: readonly (readonly [string, PackageSpec["hooks"], string])[] = [
    ["nothing", {}, "Unsigned"],
    ["it says nothing", { definition: ({ build }) => void delete build["signed"] }, "Unsigned"],
    [
      "it says that it is signed",
      { definition: ({ build }) => void (build["signed"] = true) },
      "Unverified",
    ],
    ["a bundle", signed(ours), "Unverified"],
    ["a legacy signature", signed(ours, { form: "legacy" }), "Unverified"],
    ["a file that is no signature", adding("zarf.bundle.sig", "{}"), "Unverified"],
    ["an empty file", adding("zarf.yaml.sig", ""), "Unverified"],
  ];
  for (const [name, hooks = {}, state] of cases) {
    await t.step(name, async () => {
      const bytes = buildPackage({ hooks });
      assert.deepEqual((await take(bytes)).trust, { state });
      assert.deepEqual((await take(bytes, [])).trust, { state }, "no keys are no keys");
    });
  }
});

Deno.test("with keys a package must be signed, whatever it says", async (t) => {
  const cases: readonly (readonly [string, PackageSpec["hooks"], string | undefined])[] = [
    ["it says no", {}, "Unsigned"],
    ["it says yes and has no signature", {
      definition: ({ build }) => void (build["signed"] = true),
    }, "Unsigned"],
    ["it says nothing and has no signature", {
      definition: ({ build }) => void delete build["signed"],
    }, "Unsigned"],
    // As Zarf, which takes the definition's word for it.
    ["it says no and has a signature", signed(ours, { says: false }), "Unsigned"],
    ["it says nothing and has a signature", signed(ours, { says: null }), undefined],
    ["it says nothing and has an old one", signed(ours, { says: null, form: "legacy" }), undefined],
  ];
  for (const [name, hooks = {}, reason] of cases) {
    await t.step(name, async () => {
      const bytes = buildPackage({ hooks });
      if (reason === undefined) await take(bytes, [ours.trusted]);
      else await refused(bytes, reason);
    });
  }
});

Deno.test("the bundle counts where both signatures are there", async () => {
  const entriesOf = (form: "bundle" | "legacy", pair: SigningPair) =>
    packageEntries({ hooks: signed(pair, { form }) });
  const bundle = contentOf(entriesOf("bundle", ours), "zarf.bundle.sig");
  const legacy = (pair: SigningPair) => contentOf(entriesOf("legacy", pair), "zarf.yaml.sig");
  const both = (bundle: string, legacy: string) =>
    buildPackage({
      hooks: {
        ...signed(ours),
        entries: (all) => [
          ...all,
          { name: "zarf.bundle.sig", content: bundle },
          { name: "zarf.yaml.sig", content: legacy },
        ],
      },
    });
  const contents = await take(both(bundle, legacy(other)), [ours.trusted]);
  assert.equal(contents.signature, "bundle");
  assert.equal(contents.trust.state, "Verified");
  await refused(both(bundle, legacy(other)), "SignatureInvalid", [other.trusted]);
  await refused(both("{}", legacy(ours)), "SignatureUnreadable");
});

Deno.test("signatures may stand anywhere in the archive", async () => {
  const hooks = signed(ours);
  const reversed = (all: TarEntrySpec[]) => (hooks.entries?.(all) ?? []).reverse();
  const bytes = buildPackage({ hooks: { ...hooks, entries: reversed } });
  assert.equal((await take(bytes, [ours.trusted])).trust.state, "Verified");
  await refused(bytes, "SignatureInvalid", [other.trusted]);
});

Deno.test("a definition that nobody trusted signed is refused before it is parsed", async () => {
  const hooks = { definitionText: () => "a: [" };
  await refused(buildPackage({ hooks }), "Unsigned");
  await refused(buildPackage({ hooks: { ...hooks, ...signedText(other) } }), "SignatureInvalid");
  await refused(buildPackage({ hooks: { ...hooks, ...signedText(ours) } }), "InvalidDefinition");
});

Deno.test("a signature does not excuse a file that is not the one that was signed for", async () => {
  const { entries, ...hooks } = signed(ours, { form: "legacy" });
  const change = (all: TarEntrySpec[]) =>
    (entries?.(all) ?? []).map((entry) =>
      entry.name === "sboms.tar" ? { ...entry, content: "wrong" } : entry
    );
  const spec = { files: { "sboms.tar": "right" }, hooks: { ...hooks, entries: change } };
  await refused(buildPackage(spec), "ChecksumMismatch");
});

Deno.test("a signature file that is too large is refused before it is held", async () => {
  for (const name of ["zarf.bundle.sig", "zarf.yaml.sig"]) {
    const bytes = buildPackage({ hooks: adding(name, " ".repeat((256 << 10) + 1)) });
    const error = await refused(bytes, "LimitExceeded");
    assert.match(error.message, new RegExp(`^${name}: has 262145 bytes, the limit is 262144`));
  }
});
