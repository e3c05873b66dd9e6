import assert from "node:assert/strict";
import { withDirectory } from "../fakes/testing.ts";
import { buildPackage, type PackageSpec } from "../fixtures/make_package.ts";
import { splitPackage } from "../fixtures/split_package.ts";
import { unpackPackage } from "../fixtures/unpack_package.ts";
import { FailingDisk } from "./support/failing_disk.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { storeState } from "./support/store_state.ts";

/** Why tests that mount something cannot run here. */
const CANNOT_MOUNT = Deno.build.os !== "linux" || Deno.uid() !== 0;

/** Takes seconds to be read from the disk. */
function specOf(name: string, seed: number): PackageSpec {
  return {
    name,
    format: "tar",
    images: [{
      reference: `docker.io/library/${name}:1`,
      layers: [{ size: 12_000_000, seed }, { size: 12_000_000, seed: seed + 1 }],
    }],
  };
}

const FILE = "zarf-package-file-amd64-1.0.0.tar";
const PARTS = "zarf-package-parts-amd64-1.0.0.tar";
/** In the order in which they are read. */
const PACKAGES = ["directory", FILE, PARTS];

function fill(content: string): void {
  unpackPackage(`${content}/directory`, specOf("directory", 1));
  Deno.writeFileSync(`${content}/${FILE}`, buildPackage(specOf("file", 3)));
  for (const [name, part] of splitPackage(PARTS, buildPackage(specOf("parts", 5)), 10_000_000)) {
    Deno.writeFileSync(`${content}/${name}`, part);
  }
}

/** Everything that the store holds of packages. */
function held(dataDir: string): unknown {
  const { files, tables } = storeState(dataDir);
  const kept = Object.keys(files).filter((path) => /^(blobs|packages|tmp)\//.test(path));
  return [kept, tables["packages"], tables["drops"]];
}

Deno.test({
  name: "a stick that fails while it is read is waited for, and leaves nothing until it is whole",
  ignore: CANNOT_MOUNT,
  fn: async (t) => {
    await using disk = await withDirectory(async (content) => {
      fill(content);
      return await FailingDisk.create(content);
    });
    await using agent = new LocalAgent();
    const stick = `${agent.dropDir}/stick`;
    await Deno.mkdir(stick);
    await agent.started({ mounts: `mount -o loop,ro ${disk.file} ${stick}` });
    // The stick cannot be written.
    const inside = (name: string) => `${agent.dataDir}/status/${name}`;
    const empty = [[], [], []];

    await t.step("it fails in the middle of the first package", async () => {
      await agent.settled(inside("directory"), {
        phases: ["Receiving"],
        where: ({ progress }) => progress.bytes > 0 && progress.bytes < progress.totalBytes,
      });
      disk.fail();
    });

    for (const name of PACKAGES) {
      await t.step(`${name}: the verdict says that it could not be read, and no more`, async () => {
        const verdict = await agent.settled(inside(name), {
          phases: ["Receiving", "Accepted", "Rejected"],
          where: ({ reason }) => !["BeingCopied", "LookingOver", "Reading"].includes(reason),
        });
        assert.deepEqual([verdict.phase, verdict.reason], ["Receiving", "ReadFailed"]);
        assert.match(verdict.message, /the file could not be read: Input\/output error/);
        assert.equal(verdict.file, `${stick}/${name}`);
      });
    }

    await t.step("nothing of them is in the store, and it is tried again", async () => {
      const attempts = () => agent.logged(/tried again: .*Input\/output error/).length;
      const before = attempts();
      await agent.eventually("more attempts", () => attempts() > before + 1 ? true : undefined);
      await agent.eventually("an end of an attempt", () => {
        const { files } = storeState(agent.dataDir);
        return Object.keys(files).some((path) => path.startsWith("tmp/")) ? undefined : true;
      });
      assert.deepEqual(held(agent.dataDir), empty);
      assert.equal((await agent.get("/livez")).trim(), "ok");
    });

    await t.step("when it can be read again all are taken in by themselves", async () => {
      disk.mend();
      for (const name of PACKAGES) {
        const verdict = await agent.settled(inside(name), {
          phases: ["Accepted", "Rejected"],
          timeout: 120_000,
        });
        assert.equal(verdict.phase, "Accepted", verdict.message);
      }
      const { packages } = storeState(agent.dataDir).tables;
      assert.deepEqual(packages?.map((row) => row["name"]).sort(), ["directory", "file", "parts"]);
    });
  },
});
