import assert from "node:assert/strict";
import {
  createCgroups,
  createUnifiedGroup,
  hasCgroups,
  hierarchiesIn,
  removeCgroups,
} from "./cgroups.ts";
import { obstacle } from "./prerequisites.ts";

Deno.test("hierarchies are read from the mount table", async (t) => {
  const cases = [
    {
      name: "version 1 beside version 2 (Debian with an old kernel command line)",
      mounts: [
        "tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0",
        "cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0",
        "cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0",
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0",
        "/dev/vda / ext4 rw 0 0",
      ],
      expected: [
        ["/sys/fs/cgroup/cpuset", 1, ["rw", "relatime", "cpuset"]],
        ["/sys/fs/cgroup/systemd", 1, ["rw", "name=systemd"]],
        ["/sys/fs/cgroup/unified", 2, []],
      ],
    },
    {
      name: "version 2 alone",
      mounts: ["cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0", "proc /proc proc rw 0 0"],
      expected: [["/sys/fs/cgroup", 2, []]],
    },
    {
      name: "a container's view elsewhere is not the machine's",
      mounts: ["cgroup2 /run/x/cgroup cgroup2 rw 0 0"],
      expected: [],
    },
  ];
  for (const { name, mounts, expected } of cases) {
    await t.step(name, () => {
      const found = hierarchiesIn(mounts.join("\n") + "\n")
        .map(({ path, version, controllers }) => [path, version, controllers]);
      assert.deepEqual(found, expected);
    });
  }
});

Deno.test({
  name: "groups hold processes, and are removed with those that a kubelet made in them",
  ignore: obstacle() !== undefined,
  fn: async () => {
    const cluster = `holdfast-unit-${Deno.pid}`;
    createCgroups(cluster, "node1");
    try {
      // Again: the second boot of a node finds them.
      createCgroups(cluster, "node1");
      assert.equal(hasCgroups(cluster), true);
      for (const { path } of hierarchiesIn(Deno.readTextFileSync("/proc/self/mounts"))) {
        const pod = `${path}/${cluster}/node1/kubepods`;
        Deno.mkdirSync(pod);
        assert.ok(Deno.statSync(`${pod}/cgroup.procs`).isFile, pod);
      }
    } finally {
      await removeCgroups(cluster);
    }
    assert.equal(hasCgroups(cluster), false);
    // Nothing to remove is fine.
    await removeCgroups(cluster);
  },
});

Deno.test({
  name: "a new cpuset takes a process at once",
  ignore: obstacle() !== undefined,
  fn: async () => {
    const cpuset = hierarchiesIn(Deno.readTextFileSync("/proc/self/mounts"))
      .find(({ controllers }) => controllers.includes("cpuset"));
    if (cpuset === undefined) return;
    const cluster = `holdfast-unit-c-${Deno.pid}`;
    createCgroups(cluster, "node1");
    const child = new Deno.Command("sleep", { args: ["100"] }).spawn();
    try {
      Deno.writeTextFileSync(`${cpuset.path}/${cluster}/node1/cgroup.procs`, String(child.pid));
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await removeCgroups(cluster);
    }
  },
});

Deno.test({
  name: "a group of version 2 alone takes processes, and is removed with all below it",
  ignore: obstacle() !== undefined,
  fn: async () => {
    const cluster = `holdfast-test-${crypto.randomUUID().slice(0, 8)}`;
    const group = createUnifiedGroup(cluster, "node1");
    try {
      assert(group.endsWith(`/${cluster}/node1`), group);
      const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
      try {
        Deno.writeTextFileSync(`${group}/cgroup.procs`, String(child.pid));
        assert.equal(Deno.readTextFileSync(`${group}/cgroup.procs`), `${child.pid}\n`);
      } finally {
        child.kill("SIGKILL");
        await child.status;
      }
    } finally {
      await removeCgroups(cluster);
    }
    assert(!hasCgroups(cluster));
  },
});
