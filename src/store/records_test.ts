import assert from "node:assert/strict";
import { imageRecord } from "../../test/fakes/records.ts";
import { digestOf } from "../std/mod.ts";
import { JOURNAL_LIMIT, type Records } from "./records.ts";
import { Store } from "./store.ts";
import { packageWith, withDirectory } from "./testing.ts";
import { type DescriptorRecord, SEED_OWNER } from "./types.ts";

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** Runs `write`, opens the store again and runs `read`: what is recorded is on the disk. */
async function reopened(
  write: (records: Records) => void,
  read: (records: Records) => void,
): Promise<void> {
  await withDirectory((dir) => {
    const first = Store.open(dir);
    try {
      write(first.records);
    } finally {
      first.close();
    }
    using second = Store.open(dir);
    read(second.records);
  });
}

Deno.test("a package is recorded with its images, manifests and blobs", () => {
  const added = packageWith("web", "1.0.0");
  return reopened(
    (records) => void records.putPackage(added),
    (records) => {
      const { images: _images, manifests: _manifests, blobs: _blobs, ...plain } = added;
      const expected = {
        ...plain,
        state: "accepted",
        sequence: 1,
        reason: "",
        message: "",
        components: [],
      };
      assert.deepEqual(records.listPackages(), [expected]);
      assert.deepEqual(records.getPackage(added.digest), expected);
      assert.equal(records.getPackage(digestOf("other")), undefined);
      const manifest = digestOf("web 1.0.0");
      for (const tag of ["1", "1-zarf-42"]) {
        const resolved = records.resolveTag("library/web", tag);
        assert.deepEqual(resolved, { digest: manifest, mediaType: MANIFEST_TYPE });
      }
      assert.deepEqual(records.manifest(manifest), added.manifests[0]);
      assert.deepEqual(records.blobOwners(manifest), [added.digest]);
      assert.deepEqual(records.tags("library/web"), ["1", "1-zarf-42"]);
      assert.deepEqual(records.repositories(), ["library/web"]);
    },
  );
});

Deno.test("a state keeps what it does not name", () => {
  const { digest } = packageWith("web", "1.0.0");
  const components = [{ name: "front", phase: "Ready", message: "" }];
  return reopened(
    (records) => {
      records.putPackage(packageWith("web", "1.0.0"));
      records.setPackageState(digest, "deploying", { message: "front", components });
      records.setPackageState(digest, "failed", { reason: "ChartFailed" });
    },
    (records) => {
      const { state, reason, message, components: found } = records.listPackages()[0] ??
        assert.fail();
      assert.deepEqual({ state, reason, message, found }, {
        state: "failed",
        reason: "ChartFailed",
        message: "front",
        found: components,
      });
      assert.throws(() => records.setPackageState(digestOf("other"), "ready"), {
        reason: "UnknownPackage",
      });
    },
  );
});

Deno.test("a package that is put again has the signature that was found last", () => {
  const added = packageWith("web", "1.0.0");
  const signaturesOf = (records: Records) =>
    records.listPackages().map(({ signature, signedBy }) => [signature, signedBy]);
  return reopened(
    (records) => {
      records.putPackage(added);
      assert.deepEqual(signaturesOf(records), [["Unsigned", undefined]]);
      records.putPackage({ ...added, signature: "Verified", signedBy: "b7cdfef8" });
      records.putPackage(packageWith("other", "1"));
    },
    (records) => {
      assert.deepEqual(signaturesOf(records), [["Verified", "b7cdfef8"], ["Unsigned", undefined]]);
      records.putPackage({ ...added, signature: "Unverified" });
      assert.deepEqual(signaturesOf(records)[0], ["Unverified", undefined]);
    },
  );
});

for (
  const [what, state, phase] of [
    ["that was removed", "superseded", "Removed"],
    ["a component of which was removed", "ready", "Removed"],
  ] as const
) {
  Deno.test(`the newest package ${what} is accepted anew when it comes again`, () => {
    const newest = packageWith("web", "2");
    return reopened(
      (records) => {
        records.putPackage(newest);
        const components = [{ name: "front", phase, message: "" }];
        records.setPackageState(newest.digest, state, { reason: "ComponentsRemoved", components });
        records.putPackage(newest);
      },
      (records) => {
        const found = records.getPackage(newest.digest);
        assert.deepEqual(
          [found?.state, found?.reason, found?.components, found?.sequence],
          ["accepted", "", [], 2],
        );
      },
    );
  });
}

Deno.test("putting a package again that is ready is a wish to deploy it anew", () => {
  const web = packageWith("web", "1");
  return reopened(
    (records) => {
      records.putPackage(web);
      records.setPackageState(web.digest, "ready");
      records.putPackage(web);
    },
    (records) => {
      const found = records.listPackages().map(({ state, sequence }) => [state, sequence]);
      assert.deepEqual(found, [["accepted", 2]]);
    },
  );
});

Deno.test("putting a package again that is worked on changes neither its place nor its state", () => {
  const newest = packageWith("web", "2");
  return reopened(
    (records) => {
      records.putPackage(packageWith("web", "1"));
      records.putPackage(newest);
      records.setPackageState(newest.digest, "deploying");
      records.putPackage(packageWith("other", "1"));
      records.putPackage(newest);
    },
    (records) => {
      assert.deepEqual(
        records.listPackages().map(({ name, version, state, sequence }) => [
          name,
          version,
          state,
          sequence,
        ]),
        [["web", "1", "accepted", 1], ["web", "2", "deploying", 2], ["other", "1", "accepted", 3]],
      );
    },
  );
});

Deno.test("an older package that comes again is the newest", () => {
  const older = packageWith("web", "1");
  return reopened(
    (records) => {
      records.putPackage(older);
      records.setPackageState(older.digest, "superseded");
      records.putPackage(packageWith("web", "2"));
      const again = records.putPackage(older);
      assert.equal(again.state, "accepted");
      assert.equal(again.sequence, 3);
    },
    (records) => {
      assert.deepEqual(records.listPackages().map(({ version }) => version), ["2", "1"]);
      assert.equal(records.resolveTag("library/web", "1")?.digest, digestOf("web 1"));
    },
  );
});

Deno.test("of one tag the package accepted last wins, and any package over a seed image", () =>
  reopened(
    (records) => {
      const { images, manifests, blobs } = packageWith("seed", "1");
      records.putImages(SEED_OWNER, images, manifests, blobs);
      assert.equal(records.resolveTag("library/web", "1")?.digest, digestOf("seed 1"));
      records.putPackage(packageWith("web", "1"));
      assert.equal(records.resolveTag("library/web", "1")?.digest, digestOf("web 1"));
      records.putPackage(packageWith("web", "2"));
      records.putImages("late", images, manifests, blobs);
    },
    (records) => {
      assert.equal(records.resolveTag("library/web", "1")?.digest, digestOf("web 2"));
      assert.deepEqual(records.blobOwners(digestOf("seed 1")), ["late", SEED_OWNER]);
      assert.equal(records.listPackages().length, 2);
    },
  ));

Deno.test("putting images again replaces what the owner had", () =>
  reopened(
    (records) => {
      const { images, manifests, blobs } = packageWith("seed", "1");
      records.putImages(SEED_OWNER, images, manifests, blobs);
      records.putImages(SEED_OWNER, [], manifests, []);
    },
    (records) => {
      assert.deepEqual(records.repositories(), []);
      assert.deepEqual(records.blobOwners(digestOf("seed 1")), []);
      assert.ok(records.manifest(digestOf("seed 1")));
    },
  ));

Deno.test("one repository of two hosts is told apart where a host is named", () =>
  reopened(
    (records) => {
      const hub = packageWith("web", "1");
      const quay = { ...packageWith("quay", "1"), images: [] as typeof hub.images };
      const image = {
        ...(hub.images[0] ?? assert.fail()),
        host: "quay.io",
        tag: "2",
        zarfTag: "2-zarf-7",
      };
      records.putPackage(hub);
      records.putPackage({ ...quay, images: [image] });
    },
    (records) => {
      assert.ok(records.resolveTag("library/web", "1", "docker.io"));
      assert.equal(records.resolveTag("library/web", "1", "quay.io"), undefined);
      assert.ok(records.resolveTag("library/web", "2"));
      assert.deepEqual(records.tags("library/web", "quay.io"), ["2", "2-zarf-7"]);
      assert.deepEqual(records.tags("library/web").length, 4);
      assert.equal(records.resolveTag("library/none", "1"), undefined);
    },
  ));

Deno.test("referrers of a subject come once each, with what was said of them", () => {
  const subject = digestOf("subject");
  const signature: DescriptorRecord = {
    mediaType: MANIFEST_TYPE,
    digest: digestOf("signature"),
    size: 7,
    artifactType: "application/example",
    subject,
    annotations: { a: "b" },
  };
  return reopened(
    (records) => {
      records.putPackage({ ...packageWith("a", "1"), manifests: [signature] });
      records.putPackage({ ...packageWith("b", "1"), manifests: [signature] });
    },
    (records) => {
      assert.deepEqual(records.referrers(subject), [signature]);
      assert.deepEqual(records.referrers(digestOf("nobody")), []);
    },
  );
});

Deno.test("a dropped file is known by its numbers, to the nanosecond", () => {
  const drop = {
    path: "/drop/a.tar.zst",
    size: 5,
    mtimeNs: 1_767_323_045_123_456_789n,
    inode: 18_446_744_073_709_551_615n,
    outcome: { phase: "Rejected", reasons: ["Truncated"] },
  };
  return reopened(
    (records) => {
      records.putDrop({ ...drop, size: 4, outcome: null });
      records.putDrop(drop);
      records.putDrop({ ...drop, path: "/drop/b.tar" });
      records.deleteDrop("/drop/b.tar");
    },
    (records) => {
      assert.deepEqual(records.getDrop(drop.path), drop);
      assert.equal(records.getDrop("/drop/b.tar"), undefined);
      assert.deepEqual(records.listDrops(), [drop]);
    },
  );
});

Deno.test("the journal keeps its order and its last lines", () =>
  reopened(
    (records) => {
      const at = "2026-01-02T03:04:05Z";
      records.appendJournal({ owner: "b", step: "x", state: "failed", detail: null, at });
      for (let index = 0; index < JOURNAL_LIMIT + 5; index++) {
        const state = index % 2 === 0 ? "started" : "done";
        records.appendJournal({ owner: "a", step: `s${index % 3}`, state, detail: index, at });
      }
    },
    (records) => {
      const lines = records.journal("a");
      assert.equal(lines.length, JOURNAL_LIMIT);
      assert.deepEqual([lines[0]?.detail, lines.at(-1)?.detail], [5, JOURNAL_LIMIT + 4]);
      assert.equal(records.lastJournal("a", "s0")?.detail, 1002);
      assert.equal(records.lastJournal("a", "none"), undefined);
      assert.equal(records.journal("b").length, 1);
    },
  ));

Deno.test("a small value is kept until it is removed", () =>
  reopened(
    (records) => {
      records.setValue("a", { list: [1, "two", null] });
      records.setValue("b", 1);
      records.setValue("b", 2);
      records.setValue("c", 3);
      records.setValue("c", undefined);
    },
    (records) => {
      assert.deepEqual(records.getValue("a"), { list: [1, "two", null] });
      assert.equal(records.getValue("b"), 2);
      assert.equal(records.getValue("c"), undefined);
    },
  ));

Deno.test("an owner's images come back as they were given, in their order, and go with it", async () => {
  const directory = await Deno.makeTempDir();
  try {
    using store = Store.open(directory);
    const given = [imageRecord("web", "2"), imageRecord("by-digest-only"), imageRecord("db", "1")];
    store.records.putImages("seed", given, [], []);
    assert.deepEqual(store.records.images("seed"), given);
    store.records.putImages("seed", given.slice(2), [], []);
    assert.deepEqual(store.records.images("seed"), given.slice(2));
    assert.deepEqual(store.records.images("nobody"), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
